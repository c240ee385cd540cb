// A small complete client of the chat protocol (docs/websocket.md), for browsers, React Native and Node 22 or later.
//
//   const chat = new ChatClient("wss://edge.example:8443/v1/demo/chat", { onReply: (reply) => console.log(reply.text) });
//   chat.connect();
//   chat.say("Where is my order 1042?");

const STOP_AT = [4400, 4404];

export class ChatClient {
  constructor(url, { lang = "en", onReply = () => {}, onDraft = () => {}, onProblem = () => {} } = {}) {
    Object.assign(this, { url, lang, onReply, onDraft, onProblem });
    // An app stores these four, so that a restart goes on where it was.
    Object.assign(this, { conversation: null, token: null, lastEventId: 0, unconfirmed: new Map() });
    Object.assign(this, { drafts: new Map(), attempt: 0, isReady: false });
  }

  connect() {
    this.socket = new WebSocket(this.url);
    this.socket.onopen = () => this.#write({
      type: "hello", v: 1, conversation: this.conversation, token: this.token, after: this.lastEventId, lang: this.lang,
    });
    this.socket.onmessage = (event) => this.#take(JSON.parse(event.data));
    this.socket.onclose = (event) => this.#lost(event.code);
  }

  say(text) {
    const id = crypto.randomUUID();
    this.unconfirmed.set(id, text);
    if (this.isReady) this.#write({ type: "message", id, text });
  }

  #write(frame) {
    this.socket.send(JSON.stringify(frame));
  }

  #take(frame) {
    const handler = { hello: this.#welcome, ack: this.#confirm, message: this.#confirm, delta: this.#draft, reply: this.#reply }[frame.type];
    if (handler) handler.call(this, frame);
    if (frame.type === "message" || frame.type === "reply") this.lastEventId = Math.max(this.lastEventId, frame.event_id);
    if (frame.event === "caught_up") this.#caughtUp();
    if (frame.event === "error") {
      this.unconfirmed.delete(frame.id);
      this.onProblem(frame.problem, frame.id);
    }
  }

  #welcome({ conversation, token }) {
    Object.assign(this, { conversation, token });
  }

  #caughtUp() {
    Object.assign(this, { isReady: true, attempt: 0 });
    for (const [id, text] of this.unconfirmed) this.#write({ type: "message", id, text });
  }

  #confirm({ id }) {
    this.unconfirmed.delete(id);
  }

  // A higher revision replaces the draft, the next sequence of the same revision continues it.
  #draft({ turn_id: turnId, revision, sequence, text }) {
    const old = this.drafts.get(turnId);
    const draft = !old || revision > old.revision ? { revision, next: 0, text: "" } : old;
    if (revision === draft.revision && sequence === draft.next) Object.assign(draft, { text: draft.text + text, next: sequence + 1 });
    this.drafts.set(turnId, draft);
    this.onDraft(turnId, draft.text);
  }

  #reply(reply) {
    this.drafts.delete(reply.turn_id);
    if (reply.event_id > this.lastEventId) this.onReply(reply);
  }

  #lost(code) {
    this.isReady = false;
    if (STOP_AT.includes(code)) return;
    if (code === 4401) Object.assign(this, { conversation: null, token: null, lastEventId: 0 });
    const wait = Math.min(30000, 500 * 2 ** Math.min(this.attempt, 6)) * (0.5 + Math.random() / 2);
    this.attempt += 1;
    setTimeout(() => this.connect(), wait);
  }
}
