// One row per message. A row is drawn from its item alone, so a change of language or state redraws it.

function drawRow(item, words, actions) {
  return item.side === "own" ? drawOwn(item, words, actions) : drawReply(item, words, actions);
}

function drawOwn(item, words, actions) {
  const bubble = el("div", { class: "bubble", dir: "auto" }, hidden(words.you), el("div", { class: "plain" }, item.text));
  return el("div", { class: `row own ${item.state}`, "data-id": item.id }, bubble, drawDelivery(item, words, actions));
}

function drawDelivery(item, words, actions) {
  const meta = el("div", { class: "meta" });
  if (item.state === "failed") {
    const why = { 429: words.tooFast, 413: words.tooLong }[item.status];
    const text = why ? `${words.failed} · ${why}` : words.failed;
    const again = el("button", { type: "button", class: "again", click: () => actions.retry(item.id) }, words.retry);
    meta.append(icon("alert", 14), el("span", {}, text), again);
    return meta;
  }
  const state = el("span", { class: "state", title: words[item.state] }, icon(item.state === "delivered" ? "check" : "clock", 14));
  meta.append(el("time", { datetime: item.at.toISOString() }, timeOf(words, item.at)), state, hidden(words[item.state]));
  return meta;
}

function drawChoices(choices, label, ask) {
  const chips = choices.map((text) => el("button", { type: "button", class: "chip", dir: "auto", click: () => ask(text) }, text));
  return el("div", { class: "chips", role: "group", "aria-label": label }, ...chips);
}

function drawReply(item, words, actions) {
  const bubble = el("div", { class: "bubble", dir: "auto" }, hidden(words.reply));
  if (item.quotes) bubble.append(drawQuestion(item.quotes, words));
  bubble.append(el("div", { class: "text" }, formatted(item.text)));
  if (item.citations.length) bubble.append(drawCitations(item.citations, words));
  const row = el("div", { class: `row reply from-${item.source.replace(/\W/g, "")}` }, bubble);
  if (!item.final) {
    row.classList.add("provisional");
    bubble.append(drawPromise(item, words));
  }
  row.append(drawOrigin(item, words));
  if (item.choices.length) row.append(drawChoices(item.choices, words.choices, actions.ask));
  return row;
}

function drawPromise(item, words) {
  const text = item.answered ? words.answeredBelow : words.provisional;
  return el("p", { class: "promise" }, icon(item.answered ? "arrowDown" : "clock", 14), text);
}

function drawQuestion(text, words) {
  return el("blockquote", { class: "about" }, el("span", { class: "about-title" }, words.about), el("span", { class: "about-text", dir: "auto" }, text));
}

function drawOrigin(item, words) {
  const meta = el("div", { class: "meta" });
  const label = sourceLabel(words, item);
  if (label) {
    const shape = label === words.from.model ? "spark" : SOURCE_ICONS[item.source];
    meta.append(el("span", { class: "origin" }, icon(shape, 14), label));
  }
  meta.append(el("time", { datetime: item.at.toISOString() }, timeOf(words, item.at)));
  return meta;
}

function drawCitations(citations, words) {
  const title = citations.length === 1 ? words.source : fill(words.sources, citations.length);
  const summary = el("summary", {}, icon("page", 15), el("span", {}, title), icon("down", 15));
  const list = el("ol", { class: "citations" }, ...citations.map(drawCitation));
  return el("details", { class: "sources" }, summary, list);
}

function drawCitation(citation) {
  const href = webLink(citation.uri);
  const name = citation.title || citation.uri;
  const title = href ? anchor(href, name, icon("link", 17)) : el("span", {}, name);
  title.setAttribute("dir", "auto");
  title.classList.add("citation-title");
  return el("li", {}, title, citation.quote ? el("q", { dir: "auto" }, citation.quote) : null);
}

function drawDraft(text, words) {
  const dots = el("span", { class: "dots", "aria-hidden": "true" }, el("i"), el("i"), el("i"));
  const bubble = el("div", { class: "bubble", dir: "auto" });
  if (text) bubble.append(el("div", { class: "text" }, formatted(text)));
  else bubble.append(hidden(words.typing));
  bubble.append(dots);
  return bubble;
}

const PAUSE_MS = 30 * 60 * 1000;

function separatorText(item, previous, words) {
  const apart = previous ? item.at - previous.at : Infinity;
  const newDay = !previous || !sameDay(item.at, previous.at);
  return newDay || apart >= PAUSE_MS ? `${dayOf(words, item.at)} ${timeOf(words, item.at)}` : "";
}

function drawSeparator(text) {
  return el("div", { class: "separator" }, el("span", {}, text));
}
