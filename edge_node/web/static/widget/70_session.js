const ACK_WITHIN_MS = 12000;
const SEND_ATTEMPTS = 3;

// The protocol: what was sent, what is confirmed, what has been seen. It knows no DOM; `view` shows what it decides.
class Session {
  #conversation;
  #token;
  #kept;
  #after = 0;
  #seen = new Set();
  #unconfirmed = new Map();
  #ready = false;
  #stopped = true;

  constructor(config, store, view) {
    const kept = store.conversation();
    this.lang = config.lang;
    this.store = store;
    this.view = view;
    this.drafts = new Drafts(view);
    this.connection = new Connection(config.socketUrl, {
      hello: () => this.#hello(),
      frame: (value) => this.#frame(value),
      closed: (code) => this.#closed(code),
      state: (name) => this.#state(name),
    });
    this.#conversation = kept.conversation || null;
    this.#token = kept.token || null;
    this.#kept = this.#conversation !== null;
  }

  get isKnown() {
    return this.#kept || this.store.pending().length > 0;
  }

  start() {
    if (!this.#stopped) return;
    this.#stopped = false;
    for (const { id, text, at } of this.store.pending()) {
      if (!this.#unconfirmed.has(id)) this.#remember({ id, text, at: readDate(at), state: "waiting", attempts: 0, timer: 0 });
    }
    this.connection.connect();
  }

  send(text) {
    const message = { id: newId(), text, at: new Date(), state: "waiting", attempts: 0, timer: 0 };
    this.#remember(message);
    this.#keep();
    this.#enqueue(message);
  }

  retry(id) {
    const message = this.#unconfirmed.get(id);
    if (message) this.#enqueue(Object.assign(message, { state: "waiting", attempts: 0, status: 0 }));
  }

  startOver() {
    this.#quiet();
    this.#unconfirmed.clear();
    this.store.forget();
    this.#forget();
    this.#restart();
  }

  speak(lang) {
    this.lang = lang;
    this.store.keep({ lang });
    this.#restart();
  }

  // `force`: the network changed, so even a socket that looks open may be dead.
  wake(force) {
    if (force || !this.connection.isBusy) this.#restart();
  }

  #restart() {
    if (this.#stopped) return;
    this.#ready = false;
    this.#quiet();
    this.connection.connect();
  }

  #hello() {
    return { type: "hello", v: 1, conversation: this.#conversation, token: this.#token, after: this.#after, lang: this.lang };
  }

  #frame(value) {
    const take = {
      hello: () => this.#welcome(value),
      ack: () => this.#ack(value),
      message: () => this.#message(value),
      delta: () => this.drafts.add(value),
      reply: () => this.#reply(value),
      event: () => this.#event(value),
    };
    if (Object.hasOwn(take, value.type)) take[value.type]();
  }

  #event(value) {
    const take = {
      caught_up: () => this.#caughtUp(),
      typing: () => this.drafts.typing(value.turn_id),
      owner: () => this.view.owner(value.owner === "agent" ? "agent" : "bot"),
      error: () => this.#problem(value),
    };
    if (Object.hasOwn(take, value.event)) take[value.event]();
  }

  #welcome(value) {
    if (this.#conversation && value.conversation !== this.#conversation) this.#forget();
    this.#conversation = readText(value.conversation) || null;
    this.#token = readText(value.token) || this.#token;
    if (this.#kept || this.#unconfirmed.size) this.#keep();
    this.view.tenant(readTenant(value.tenant), readLimit(value.limits));
    this.view.catchingUp(true);
  }

  #caughtUp() {
    this.#ready = true;
    this.connection.settled();
    this.view.catchingUp(false);
    this.drafts.resume();
    for (const message of this.#unconfirmed.values()) if (message.state !== "failed") this.#transmit(message);
  }

  #ack(value) {
    const message = this.#unconfirmed.get(value.id);
    if (!message) return;
    this.#settle(message);
    this.view.delivered(message.id, value.event_id);
  }

  #message(value) {
    if (!this.#isNew(value.event_id)) return;
    const message = this.#unconfirmed.get(value.id);
    if (message) this.#settle(message);
    this.view.message(readMessage(value));
  }

  #reply(value) {
    const reply = readReply(value);
    for (const turnId of reply.turnIds) this.drafts.end(turnId, reply.final);
    if (this.#isNew(reply.eventId)) this.view.reply(reply);
  }

  #problem(value) {
    const message = this.#unconfirmed.get(value.id);
    const status = value.problem && typeof value.problem === "object" ? value.problem.status : 0;
    if (message) this.#fail(message, status);
    else this.view.notice("notice");
  }

  // Only events that came as frames move the cursor: an acknowledgement may overtake an older reply.
  #isNew(eventId) {
    if (!Number.isFinite(eventId) || this.#seen.has(eventId)) return false;
    this.#seen.add(eventId);
    this.#after = Math.max(this.#after, eventId);
    return true;
  }

  #closed(code) {
    this.#ready = false;
    this.#quiet();
    if (code === CLOSED.badToken) this.#forget();
    this.#stopped = code === CLOSED.badFrame || code === CLOSED.unknownTenant;
    if (this.#stopped) this.view.stopped(code === CLOSED.unknownTenant ? "gone" : "broken");
    return !this.#stopped;
  }

  #state(name) {
    this.view.connection(name);
    for (const message of this.#unconfirmed.values()) this.#show(message);
  }

  #quiet() {
    for (const message of this.#unconfirmed.values()) clearTimeout(message.timer);
    this.drafts.pause();
  }

  #keep() {
    this.#kept = true;
    if (this.#conversation) this.store.keep({ conversation: this.#conversation, token: this.#token });
  }

  #forget() {
    this.#conversation = this.#token = null;
    this.#after = 0;
    this.#seen.clear();
    this.store.keep({ conversation: null, token: null, read: 0 });
    this.drafts.clear();
    this.view.clear();
    for (const message of this.#unconfirmed.values()) this.view.own(message);
  }

  #remember(message) {
    this.#unconfirmed.set(message.id, message);
    this.view.own(message);
  }

  #enqueue(message) {
    this.store.addPending({ id: message.id, text: message.text, at: message.at.getTime() });
    if (this.#ready) this.#transmit(message);
    else this.#show(message);
  }

  #transmit(message) {
    if (message.attempts >= SEND_ATTEMPTS) {
      this.#fail(message, 0);
      return;
    }
    clearTimeout(message.timer);
    message.attempts += 1;
    message.timer = setTimeout(() => this.#restart(), ACK_WITHIN_MS);
    this.connection.send({ type: "message", id: message.id, text: message.text });
    this.#show(message);
  }

  #settle(message) {
    clearTimeout(message.timer);
    this.#unconfirmed.delete(message.id);
    this.store.removePending(message.id);
  }

  #fail(message, status) {
    clearTimeout(message.timer);
    this.store.removePending(message.id);
    Object.assign(message, { state: "failed", status });
    this.#show(message);
  }

  #show(message) {
    if (message.state !== "failed") message.state = this.#ready ? "sending" : "waiting";
    this.view.ownState(message.id, message.state, message.status);
  }
}
