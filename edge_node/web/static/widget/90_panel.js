function initial(name) {
  return (Array.from(name.trim())[0] || "·").toUpperCase();
}

function roundButton(name, press) {
  return el("button", { type: "button", class: "round", click: press }, icon(name, 20));
}

class Header {
  constructor(actions, { closable }) {
    this.mark = el("div", { class: "mark", "aria-hidden": "true" });
    this.title = el("h2", { class: "title", id: "title", dir: "auto" });
    this.status = el("p", { class: "status", role: "status" });
    this.language = el("button", { type: "button", class: "round language", click: actions.switchLanguage });
    this.fresh = roundButton("fresh", actions.askFresh);
    this.close = closable ? roundButton("down", actions.close) : null;
    this.node = el("div", { class: "header" }, this.mark, el("div", { class: "names" }, this.title, this.status),
      this.language, this.fresh, this.close);
  }

  relabel(words) {
    this.language.replaceChildren(words.other);
    this.language.setAttribute("lang", words.otherTag);
    label(this.language, words.switchTo);
    label(this.fresh, words.fresh);
    if (this.close) label(this.close, words.close);
  }

  name(name) {
    this.title.textContent = name;
    this.mark.textContent = initial(name);
  }

  show(text, kind) {
    if (this.status.textContent !== text) this.status.textContent = text;
    this.status.className = `status ${kind}`;
  }
}

function label(button, text) {
  button.setAttribute("aria-label", text);
  button.title = text;
}

class Greeting {
  constructor(node, ask) {
    this.node = node;
    this.ask = ask;
  }

  show(tenant, words, withSuggestions) {
    const parts = [];
    if (tenant.greeting) parts.push(el("div", { class: "greeting-text", dir: "auto" }, formatted(tenant.greeting)));
    if (withSuggestions && tenant.suggestions.length) {
      parts.push(drawChoices(tenant.suggestions, words.suggestions, this.ask));
    }
    this.node.replaceChildren(...parts);
  }
}

class Question {
  constructor(answer) {
    this.title = el("p", { class: "question-title", id: "question-title" });
    this.text = el("p", { class: "question-text", id: "question-text" });
    this.no = el("button", { type: "button", class: "button", click: () => answer(false) });
    this.yes = el("button", { type: "button", class: "button main", click: () => answer(true) });
    const sheet = el("div", { class: "question", role: "alertdialog", "aria-modal": "true", "aria-labelledby": "question-title",
      "aria-describedby": "question-text" }, this.title, this.text, el("div", { class: "buttons" }, this.no, this.yes));
    this.node = el("div", { class: "veil", hidden: true }, sheet);
  }

  get isOpen() {
    return !this.node.hidden;
  }

  relabel(words) {
    this.title.textContent = words.freshTitle;
    this.text.textContent = words.freshText;
    this.no.textContent = words.cancel;
    this.yes.textContent = words.freshYes;
  }

  open() {
    this.node.hidden = false;
    this.no.focus();
  }

  close() {
    this.node.hidden = true;
  }
}

class Launcher {
  constructor(press) {
    this.badge = el("span", { class: "badge", hidden: true });
    this.node = el("button", { type: "button", class: "launcher", "aria-haspopup": "dialog", click: press },
      icon("chat", 26), icon("down", 26), this.badge);
  }

  show(words, isOpen, unread) {
    this.node.setAttribute("aria-expanded", String(isOpen));
    this.badge.hidden = unread === 0;
    this.badge.textContent = unread > 9 ? "9+" : String(unread);
    const text = isOpen ? words.close : words.open;
    label(this.node, unread ? `${text} (${fill(words.unread, unread)})` : text);
  }
}

function focusable(root) {
  const all = root.querySelectorAll("button:not(:disabled), textarea, a[href], summary, [tabindex='0']");
  return Array.from(all).filter((node) => node.getClientRects().length > 0);
}

function keepTabInside(root, shadow, event) {
  const all = focusable(root);
  const edge = event.shiftKey ? all[0] : all[all.length - 1];
  if (!all.length || shadow.activeElement !== edge) return;
  event.preventDefault();
  (event.shiftKey ? all[all.length - 1] : all[0]).focus();
}
