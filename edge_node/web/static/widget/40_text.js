// Replies may use paragraphs, line breaks, lists and **bold**; addresses become links. Everything else stays the text it is.

const LIST_LINE = /^\s{0,4}(?:([-*•·])\s+|(\d{1,3})(?:[.)]\s+|、\s*))(.*)$/;
const INLINE = /\*\*([^*\n]{1,400})\*\*|https?:\/\/[^\s<>"'`*\u200b-\u200f\u202a-\u202e\u2066-\u2069\u3000-\u303f\uff00-\uffef]+/gi;

function appendInline(parent, text) {
  let from = 0;
  for (const match of text.matchAll(INLINE)) {
    let taken = match[0];
    let node = null;
    if (match[1] !== undefined) {
      node = el("strong", {}, match[1]);
    } else {
      taken = taken.replace(/[.,;:!?)\]}]+$/, "");
      const href = webLink(taken);
      node = href ? anchor(href, taken) : document.createTextNode(taken);
    }
    parent.append(text.slice(from, match.index), node);
    from = match.index + taken.length;
  }
  parent.append(text.slice(from));
}

function appendParagraph(parent, lines) {
  const paragraph = el("p");
  lines.forEach((line, at) => {
    if (at) paragraph.append(el("br"));
    appendInline(paragraph, line);
  });
  parent.append(paragraph);
}

function blocksOf(text) {
  const blocks = [];
  let open = null;
  for (const line of text.replace(/\r\n?/g, "\n").split("\n")) {
    if (!line.trim()) {
      open = null;
      continue;
    }
    const item = LIST_LINE.exec(line);
    const kind = item ? (item[1] ? "ul" : "ol") : "p";
    if (!open || open.kind !== kind) {
      open = { kind, start: item && item[2] ? Number(item[2]) : 1, lines: [] };
      blocks.push(open);
    }
    open.lines.push(item ? item[3] : line);
  }
  return blocks;
}

function formatted(text) {
  const fragment = document.createDocumentFragment();
  for (const block of blocksOf(text)) {
    if (block.kind === "p") {
      appendParagraph(fragment, block.lines);
      continue;
    }
    const list = el(block.kind, { start: block.kind === "ol" && block.start !== 1 ? block.start : null });
    for (const line of block.lines) {
      const item = el("li");
      appendInline(item, line);
      list.append(item);
    }
    fragment.append(list);
  }
  return fragment;
}

function characterCount(text) {
  return Array.from(text).length;
}
