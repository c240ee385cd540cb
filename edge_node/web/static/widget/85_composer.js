const COUNTER_FROM = 0.9;

class Composer {
  #limit = 8000;

  constructor(send, words) {
    this.send = send;
    this.input = el("textarea", { rows: "1", id: "message", enterkeyhint: "send", autocomplete: "off", dir: "auto",
      "aria-describedby": "count" });
    this.button = el("button", { type: "submit", class: "send", disabled: true }, icon("send", 20));
    this.counter = el("div", { class: "counter", id: "count", role: "status" });
    this.label = el("label", { class: "hidden", for: "message" });
    this.note = el("p", { class: "note" });
    const box = el("div", { class: "box" }, this.label, this.input, this.button);
    this.node = el("form", { class: "composer", submit: (event) => this.#submit(event) }, this.counter, box, this.note);
    this.input.addEventListener("input", () => this.#changed());
    this.input.addEventListener("keydown", (event) => this.#keydown(event));
    this.relabel(words);
  }

  relabel(words) {
    this.words = words;
    this.label.textContent = words.write;
    this.input.placeholder = words.placeholder;
    this.button.setAttribute("aria-label", words.send);
    this.button.title = words.send;
    this.note.textContent = words.assistant;
    this.#changed();
  }

  setLimit(limit) {
    this.#limit = limit;
    this.#changed();
  }

  setState(isStopped, owner) {
    this.input.disabled = isStopped;
    this.note.hidden = owner === "agent";
  }

  focus() {
    this.input.focus({ preventScroll: true });
  }

  #changed() {
    const { value } = this.input;
    const left = this.#limit - (value.length > this.#limit * COUNTER_FROM ? characterCount(value) : 0);
    const shown = left <= this.#limit * (1 - COUNTER_FROM);
    this.counter.textContent = shown ? fill(left < 0 ? this.words.over : this.words.left, Math.abs(left)) : "";
    this.counter.classList.toggle("over", left < 0);
    this.input.setAttribute("aria-invalid", String(left < 0));
    this.button.disabled = !value.trim() || left < 0;
    this.input.style.height = "auto";
    if (value) this.input.style.height = `${this.input.scrollHeight}px`;
    else this.input.style.removeProperty("height");
  }

  #keydown(event) {
    // 229: Enter that only confirms what an input method composed (Chinese, Japanese); Safari reports it after the composition.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
    event.preventDefault();
    this.#submit(event);
  }

  #submit(event) {
    event.preventDefault();
    const text = this.input.value.trim();
    if (this.button.disabled || !text) return;
    this.input.value = "";
    this.#changed();
    this.send(text);
    this.focus();
  }
}
