// What outlives a reload: the conversation with its token, and messages without an acknowledgement. Nothing is kept
// before the customer has sent something or chosen a language.

function createStore(config) {
  const key = `nearside:${config.origin}:${config.tenant}`;
  const memory = new Map();

  function read(name, otherwise) {
    try {
      const text = localStorage.getItem(name);
      return text === null ? memory.get(name) ?? otherwise : JSON.parse(text);
    } catch {
      return memory.get(name) ?? otherwise;
    }
  }

  function write(name, value) {
    memory.set(name, value);
    try {
      localStorage.setItem(name, JSON.stringify(value));
    } catch {
      // Storage is blocked or full: the conversation then lasts as long as the page.
    }
  }

  function pending() {
    const found = read(`${key}:pending`, []);
    return Array.isArray(found) ? found.filter((one) => one && typeof one.id === "string" && typeof one.text === "string") : [];
  }

  return {
    conversation: () => read(key, {}) || {},
    keep: (changes) => write(key, { ...(read(key, {}) || {}), ...changes }),
    forget: () => {
      write(key, { lang: (read(key, {}) || {}).lang });
      write(`${key}:pending`, []);
    },
    pending,
    addPending: (message) => write(`${key}:pending`, [...pending().filter((one) => one.id !== message.id), message]),
    removePending: (id) => write(`${key}:pending`, pending().filter((one) => one.id !== id)),
  };
}

function newId() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}
