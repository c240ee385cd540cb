const PHONE = "(max-width: 640px)";
const DARK = "(prefers-color-scheme: dark)";
const SLOW_CONNECTION_MS = 1500;
const NOTICE_MS = 6000;

// The custom element: puts the parts together and shows what the session decides.
class NearsideChat extends HTMLElement {
  #parts = null;
  #tenant = readTenant(null);
  #owner = "bot";
  #connection = "idle";
  #halt = "";
  #isOpen = false;
  #unread = 0;
  #lastReply = 0;
  #wasOpen = false;
  #isSlow = false;
  #slowTimer = 0;
  #noticeTimer = 0;

  configure(config) {
    this.config = config;
    this.store = createStore(config);
    this.lang = languageOf(this.store.conversation().lang) || config.lang;
    this.words = WORDS[this.lang];
  }

  connectedCallback() {
    if (this.#parts || !this.config) return;
    this.shadow = this.attachShadow({ mode: "open" });
    applyStyles(this.shadow, this.config.nonce);
    this.#build();
    this.session = new Session({ ...this.config, lang: this.lang }, this.store, this.#view());
    this.#relabel();
    this.#watchWorld();
    if (this.config.mount) this.#setOpen(true, this.config.open);
    else this.#setOpen(this.config.open && !matchMedia(PHONE).matches, false);
    if (this.session.isKnown) this.session.start();
  }

  open() { this.#setOpen(true, true); }

  close() { this.#setOpen(false, true); }

  #build() {
    const { config } = this;
    const header = new Header({
      switchLanguage: () => this.#switchLanguage(),
      askFresh: () => parts.question.open(),
      close: () => this.close(),
    }, { closable: !config.mount });
    const ask = (text) => { this.#send(text); parts.composer.focus(); };
    const actions = { ask, retry: (id) => { this.session.retry(id); parts.composer.focus(); } };
    const transcript = new Transcript(actions, this.words);
    const parts = {
      header, transcript,
      composer: new Composer((text) => this.#send(text), this.words),
      greeting: new Greeting(transcript.greeting, ask),
      question: new Question((yes) => this.#freshAnswered(yes)),
      launcher: config.mount ? null : new Launcher(() => this.#setOpen(!this.#isOpen, true)),
      banner: el("div", { class: "banner", role: "alert", hidden: true }),
    };
    parts.panel = el("section", { class: "panel", tabindex: "-1", role: config.mount ? "region" : "dialog", "aria-labelledby": "title" },
      header.node, parts.banner, transcript.node, parts.composer.node, parts.question.node);
    parts.root = el("div", { class: "nearside", "data-mode": config.mount ? "page" : "float", "data-position": config.position },
      parts.panel, parts.launcher && parts.launcher.node);
    parts.panel.addEventListener("keydown", (event) => this.#keydown(event));
    this.#parts = parts;
    this.shadow.append(parts.root);
  }

  // What the session may ask for.
  #view() {
    const { transcript } = this.#parts;
    return {
      own: (message) => { transcript.addOwn(message); this.#greet(); },
      ownState: (id, state, status) => transcript.setState(id, state, status),
      delivered: (id, eventId) => transcript.deliver(id, eventId),
      message: (message) => { transcript.addMessage(message); this.#greet(); },
      reply: (reply) => this.#reply(reply),
      draft: (id, text) => transcript.draft(id, text),
      draftEnded: (id) => transcript.endDraft(id),
      clear: () => this.#clear(),
      tenant: (tenant, limit) => this.#welcome(tenant, limit),
      catchingUp: (now) => transcript.replaying(now),
      owner: (owner) => { this.#owner = owner; this.#showConnection(); },
      connection: (name) => this.#connected(name),
      stopped: (why) => { this.#halt = why; },
      notice: (word) => this.#notice(word),
    };
  }

  #send(text) {
    this.session.start();
    this.session.send(text);
  }

  #reply(reply) {
    this.#parts.transcript.addReply(reply);
    this.#lastReply = Math.max(this.#lastReply, reply.eventId);
    if (this.#isOpen) this.#markRead();
    else if (reply.eventId > (this.store.conversation().read || 0)) this.#unread += 1;
    this.#showLauncher();
  }

  #markRead() {
    const { conversation, read = 0 } = this.store.conversation();
    if (conversation && this.#lastReply > read) this.store.keep({ read: this.#lastReply });
    this.#unread = 0;
  }

  #welcome(tenant, limit) {
    this.#tenant = tenant;
    this.#parts.composer.setLimit(limit);
    this.#parts.header.name(tenant.name || this.words.chat);
    this.#paint();
    this.#greet();
  }

  #greet() {
    this.#parts.greeting.show(this.#tenant, this.words, this.#parts.transcript.isEmpty);
  }

  #clear() {
    this.#parts.transcript.clear();
    this.#owner = "bot";
    this.#lastReply = this.#unread = 0;
    this.#greet();
  }

  #setOpen(isOpen, withFocus) {
    const { root, launcher, panel, transcript, composer, question } = this.#parts;
    this.#isOpen = isOpen;
    root.toggleAttribute("data-open", isOpen);
    question.close();
    if (isOpen) {
      this.session.start();
      this.#markRead();
      transcript.toEnd();
    }
    this.#showLauncher();
    if (!withFocus) return;
    if (!isOpen) launcher.node.focus();
    else if (matchMedia(PHONE).matches) panel.focus({ preventScroll: true }); // the keyboard would cover the talk
    else composer.focus();
  }

  #showLauncher() {
    const { launcher } = this.#parts;
    if (launcher) launcher.show(this.words, this.#isOpen, this.#unread);
  }

  #freshAnswered(yes) {
    const { question, composer, header } = this.#parts;
    question.close();
    if (!yes) {
      header.fresh.focus();
      return;
    }
    this.session.startOver();
    composer.focus();
  }

  #switchLanguage() {
    this.lang = this.lang === "en" ? "zh" : "en";
    this.words = WORDS[this.lang];
    this.#relabel();
    this.session.speak(this.lang);
  }

  #relabel() {
    const { root, header, transcript, composer, question } = this.#parts;
    root.setAttribute("lang", this.words.tag);
    for (const part of [header, transcript, composer, question]) part.relabel(this.words);
    header.name(this.#tenant.name || this.words.chat);
    this.#greet();
    this.#paint();
    this.#showLauncher();
    this.#showConnection();
  }

  #keydown(event) {
    const { question, panel, header } = this.#parts;
    if (event.key === "Escape" && question.isOpen) {
      question.close();
      header.fresh.focus();
    } else if (event.key === "Escape" && !this.config.mount && !event.isComposing) {
      this.close();
    } else if (event.key === "Tab") {
      if (question.isOpen) keepTabInside(question.node, this.shadow, event);
      else if (!this.config.mount && matchMedia(PHONE).matches) keepTabInside(panel, this.shadow, event);
    }
  }

  #connected(name) {
    this.#connection = name;
    clearTimeout(this.#slowTimer);
    if (name === "open") this.#isSlow = false;
    else this.#slowTimer = setTimeout(() => { this.#isSlow = true; this.#showConnection(); }, SLOW_CONNECTION_MS);
    if (name === "open") this.#wasOpen = true;
    this.#showConnection();
  }

  // A short interruption is not worth a word.
  #showConnection() {
    const { header, composer } = this.#parts;
    const { words } = this;
    const stopped = this.#connection === "stopped";
    const offline = !navigator.onLine;
    const away = stopped || offline || this.#isSlow || !this.#wasOpen;
    const busy = this.#wasOpen ? words.reconnecting : words.connecting;
    const usual = this.#owner === "agent" ? words.colleague : words.online;
    header.show(away ? (stopped ? "" : busy) : usual, away ? "away" : this.#owner);
    composer.setState(stopped, this.#owner);
    if (stopped) this.#banner(words[this.#halt]);
    else if (offline) this.#banner(words.offline);
    else this.#banner(this.#isSlow && this.#wasOpen ? words.reconnecting : "");
  }

  #banner(text) {
    const { banner } = this.#parts;
    clearTimeout(this.#noticeTimer);
    if (banner.textContent !== text) banner.textContent = text;
    banner.hidden = !text;
  }

  #notice(word) {
    this.#banner(this.words[word]);
    this.#noticeTimer = setTimeout(() => this.#showConnection(), NOTICE_MS);
  }

  #paint() {
    const { root } = this.#parts;
    const { theme } = this.config;
    const resolved = theme === "auto" ? (matchMedia(DARK).matches ? "dark" : "light") : theme;
    root.setAttribute("data-theme", resolved);
    const colours = brandColours(this.config.color || this.#tenant.color, resolved);
    for (const [name, value] of Object.entries(colours)) root.style.setProperty(name, value);
  }

  #watchWorld() {
    const { root } = this.#parts;
    for (const kind of ["keydown", "keypress", "keyup"]) root.addEventListener(kind, (event) => event.stopPropagation());
    matchMedia(DARK).addEventListener("change", () => this.#paint());
    window.addEventListener("offline", () => this.#showConnection());
    window.addEventListener("online", () => { this.session.wake(true); this.#showConnection(); });
    document.addEventListener("visibilitychange", () => document.hidden || this.session.wake(false));
    const fit = () => fitToKeyboard(this, root);
    if (window.visualViewport) for (const kind of ["resize", "scroll"]) visualViewport.addEventListener(kind, fit);
    window.addEventListener("resize", fit);
    fit();
  }
}

// An on-screen keyboard shrinks only the visual viewport: a full-screen panel follows it so that the input stays in sight.
function fitToKeyboard(host, root) {
  const seen = window.visualViewport;
  const isFull = matchMedia(PHONE).matches && (!host.config.mount || host.clientHeight >= window.innerHeight - 1);
  if (!seen || !isFull || seen.scale > 1.05) {
    for (const name of ["--seen-height", "--seen-top"]) root.style.removeProperty(name);
    return;
  }
  root.style.setProperty("--seen-height", `${seen.height}px`);
  root.style.setProperty("--seen-top", `${seen.offsetTop}px`);
}

function applyStyles(shadow, nonce) {
  if ("adoptedStyleSheets" in shadow && "replaceSync" in CSSStyleSheet.prototype) {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLES);
    shadow.adoptedStyleSheets = [sheet];
    return;
  }
  const style = el("style", { nonce: nonce || null });
  style.textContent = STYLES;
  shadow.append(style);
}
