const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 30000;
const BUSY_DELAY_MS = 5000;
const HELLO_WITHIN_MS = 10000;
const CLOSED = { badFrame: 4400, badToken: 4401, unknownTenant: 4404, slowDown: 4429 };

function backOff(attempt, least = 0) {
  const ceiling = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.min(attempt, 10));
  return Math.max(least, ceiling) * (0.5 + Math.random() / 2);
}

// One socket at a time. `on.state` is told "connecting", "open" (hello exchanged), "waiting" or "stopped";
// `on.closed(code)` says whether to try again.
class Connection {
  #socket = null;
  #timer = 0;
  #attempt = 0;
  #open = false;

  constructor(url, on) {
    this.url = url;
    this.on = on;
  }

  get isOpen() {
    return this.#open;
  }

  get isBusy() {
    return this.#socket !== null;
  }

  connect() {
    this.stop();
    const socket = new WebSocket(this.url);
    const ours = (handler) => (event) => socket === this.#socket && handler(event);
    this.#socket = socket;
    this.#timer = setTimeout(ours(() => this.#lost(0)), HELLO_WITHIN_MS);
    socket.addEventListener("open", ours(() => socket.send(JSON.stringify(this.on.hello()))));
    socket.addEventListener("message", ours((event) => this.#receive(event.data)));
    socket.addEventListener("close", ours((event) => this.#lost(event.code)));
    this.on.state("connecting");
  }

  stop() {
    const old = this.#socket;
    this.#socket = null;
    this.#open = false;
    clearTimeout(this.#timer);
    if (old) old.close();
  }

  send(value) {
    if (this.#open) this.#socket.send(JSON.stringify(value));
  }

  settled() {
    this.#attempt = 0;
  }

  #receive(data) {
    let value = null;
    try {
      value = JSON.parse(data);
    } catch {
      return;
    }
    if (!value || typeof value !== "object") return;
    if (value.type === "hello") {
      clearTimeout(this.#timer);
      this.#open = true;
    }
    this.on.frame(value);
    if (value.type === "hello") this.on.state("open");
  }

  #lost(code) {
    this.stop();
    if (!this.on.closed(code)) {
      this.on.state("stopped");
      return;
    }
    const wait = backOff(this.#attempt, code === CLOSED.slowDown ? BUSY_DELAY_MS : 0);
    this.#attempt += 1;
    this.#timer = setTimeout(() => this.connect(), wait);
    this.on.state("waiting");
  }
}
