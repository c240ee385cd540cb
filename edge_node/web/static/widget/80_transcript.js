const NEAR_END_PX = 56;

// The rows in the order of their event ids; own messages without one yet come after them, drafts last.
class Transcript {
  #items = [];
  #drafts = new Map();
  #replaying = false;
  #atEnd = true;
  #continuesDraft = false;
  #top = 0;

  constructor(actions, words) {
    this.actions = actions;
    this.words = words;
    this.greeting = el("div", { class: "greeting" });
    this.list = el("div", { class: "rows" });
    this.live = el("div", { class: "rows live", "aria-live": "off" });
    this.log = el("div", { class: "log", role: "log", "aria-live": "polite", "aria-relevant": "additions", tabindex: "0" },
      this.greeting, this.list, this.live);
    this.pill = el("button", { type: "button", class: "pill", hidden: true, click: () => this.toEnd() });
    this.node = el("div", { class: "transcript" }, this.log, this.pill);
    this.log.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    const watcher = new ResizeObserver(() => this.#atEnd && this.#jump());
    for (const part of [this.log, this.greeting, this.list, this.live]) watcher.observe(part);
    this.relabel(words);
  }

  get isEmpty() {
    return this.#items.length === 0;
  }

  relabel(words) {
    this.words = words;
    this.log.setAttribute("aria-label", words.conversation);
    this.pill.replaceChildren(icon("arrowDown", 16), words.newMessages);
    this.log.setAttribute("aria-live", "off");
    for (const item of this.#items) this.#redraw(item);
    for (const [id, draft] of this.#drafts) this.draft(id, draft.text);
  }

  replaying(now) {
    this.#replaying = now;
    this.log.setAttribute("aria-live", now ? "off" : "polite");
    if (!now && this.#atEnd) this.toEnd();
  }

  addOwn(message) {
    this.#place({ side: "own", eventId: null, ...message });
    this.toEnd();
  }

  addMessage(message) {
    const known = this.#find(message.id);
    if (known) this.deliver(message.id, message.eventId);
    else this.#place({ side: "own", state: "delivered", ...message });
  }

  addReply(reply) {
    for (const item of this.#items) {
      if (reply.turnIds.includes(item.turnId) && !item.final && reply.final) this.#keepPromise(item);
    }
    this.#place({ side: "reply", answered: false, ...reply });
    if (!this.#replaying) this.pill.hidden = this.#atEnd;
  }

  setState(id, state, status) {
    const item = this.#find(id);
    if (item && item.eventId === null && item.state !== state) this.#showDelivery(Object.assign(item, { state, status }));
  }

  deliver(id, eventId) {
    const item = this.#find(id);
    if (!item || item.eventId !== null) return;
    this.#showDelivery(Object.assign(item, { state: "delivered", eventId: Number.isFinite(eventId) ? eventId : null }));
    const at = this.#items.indexOf(item);
    this.#items.splice(at, 1);
    const right = this.#positionFor(item, at);
    this.#items.splice(right, 0, item);
    if (right !== at) {
      this.#attach(item, right);
      this.#joinAll();
    }
  }

  draft(id, text) {
    if (!this.#drafts.has(id)) {
      const node = el("div", { class: "row reply draft", "data-turn": id });
      this.#drafts.set(id, { node, text: null });
      this.live.append(node);
    }
    const draft = this.#drafts.get(id);
    if (draft.text !== text || draft.words !== this.words) draft.node.replaceChildren(drawDraft(text, this.words));
    Object.assign(draft, { text, words: this.words });
  }

  endDraft(id) {
    const draft = this.#drafts.get(id);
    if (!draft) return;
    draft.node.remove();
    this.#drafts.delete(id);
    this.#continuesDraft = true;
  }

  clear() {
    for (const id of [...this.#drafts.keys()]) this.endDraft(id);
    this.#items = [];
    this.list.replaceChildren();
    this.pill.hidden = true;
    this.#atEnd = true;
  }

  toEnd() {
    this.#atEnd = true;
    this.pill.hidden = true;
    this.#jump();
  }

  #find(id) {
    return this.#items.findLast((item) => item.side === "own" && item.id === id);
  }

  // Where among the other items: before all later events, but never past an own message that has no event id yet.
  #positionFor(item, from) {
    const items = this.#items;
    let at = from;
    if (item.eventId === null) return at;
    while (at > 0 && items[at - 1].eventId !== null && items[at - 1].eventId > item.eventId) at -= 1;
    while (at < items.length && items[at].eventId !== null && items[at].eventId < item.eventId) at += 1;
    return at;
  }

  #place(item) {
    const at = this.#positionFor(item, this.#items.length);
    this.#items.splice(at, 0, item);
    item.node = el("div", { class: this.#replaying || this.#continuesDraft ? "entry" : "entry arriving" });
    this.#continuesDraft = false;
    this.#attach(item, at);
    this.#redraw(item);
    if (at + 1 < this.#items.length) this.#join(at + 1);
  }

  #attach(item, at) {
    const next = this.#items[at + 1];
    this.list.insertBefore(item.node, next ? next.node : null);
  }

  #redraw(item) {
    item.row = drawRow(item, this.words, this.actions);
    item.separator = null;
    item.node.replaceChildren(item.row);
    this.#join(this.#items.indexOf(item));
  }

  // Only the line below changes: a screen reader would read a new bubble again.
  #showDelivery(item) {
    item.row.className = `row own ${item.state}`;
    item.row.lastChild.replaceWith(drawDelivery(item, this.words, this.actions));
  }

  #keepPromise(item) {
    item.answered = true;
    const promise = item.row.querySelector(".promise");
    if (promise) promise.replaceWith(drawPromise(item, this.words));
  }

  #join(at) {
    const item = this.#items[at];
    const previous = this.#items[at - 1];
    const text = separatorText(item, previous, this.words);
    if ((item.separator ? item.separator.textContent : "") !== text) {
      if (item.separator) item.separator.remove();
      item.separator = text ? drawSeparator(text) : null;
      if (item.separator) item.node.prepend(item.separator);
    }
    item.node.classList.toggle("follows", Boolean(previous) && !text && previous.side === item.side);
  }

  #joinAll() {
    this.#items.forEach((_, at) => this.#join(at));
  }

  #scrolled() {
    const { scrollHeight, scrollTop, clientHeight } = this.log;
    if (clientHeight === 0) return;
    const wentUp = scrollTop < this.#top;
    const nearEnd = scrollHeight - scrollTop - clientHeight < NEAR_END_PX;
    this.#top = scrollTop;
    // Content that grew below is no wish to leave the end; only moving up is.
    if (nearEnd || wentUp) this.#atEnd = nearEnd;
    if (this.#atEnd) this.pill.hidden = true;
  }

  #jump() {
    this.log.scrollTop = this.log.scrollHeight;
  }
}
