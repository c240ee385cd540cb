const SVG = "http://www.w3.org/2000/svg";
const ICONS = {
  chat: ["M12 4c4.9 0 8.5 3.2 8.5 7.3s-3.6 7.3-8.5 7.3c-1 0-2-.1-2.9-.4L4.7 20l1-3.600A6.9 6.9 0 0 1 3.5 11.300C3.5 7.2 7.1 4 12 4Z", "M8.5 11.400h.01M12 11.400h.01M15.5 11.400h.01"],
  down: ["m6.5 9.5 5.5 5.5 5.5-5.5"],
  arrowDown: ["M12 5.500v13", "m6.5 13 5.5 5.5 5.5-5.5"],
  send: ["M12 19V5.5", "m5.8 11.5 6.2-6.2 6.2 6.2"],
  fresh: ["M12.5 5H7.200A2.2 2.2 0 0 0 5 7.200v9.600A2.2 2.2 0 0 0 7.2 19h9.600a2.2 2.2 0 0 0 2.2-2.200v-5.3", "M10 14l.5-2.6 7-7a1.5 1.5 0 0 1 2.1 2.100l-7 7L10 14Z"],
  check: ["m5.5 12.5 4.3 4.3 8.7-9.3"],
  clock: ["M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16Z", "M12 8v4.300l2.8 1.7"],
  alert: ["M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16Z", "M12 8.200v4.600M12 15.800h.01"],
  badge: ["M12 3.600l2.2 1.7 2.8-.1.8 2.7 2.3 1.6-.9 2.5.9 2.5-2.3 1.6-.8 2.7-2.8-.1L12 20.400l-2.2-1.7-2.8.1-.8-2.7-2.3-1.6.9-2.5-.9-2.5 2.3-1.6.8-2.7 2.8.1L12 3.600Z", "m9 12.2 2.2 2.2 4-4.3"],
  page: ["M7 4h6.500L18 8.500v10A1.5 1.5 0 0 1 16.5 20h-9A1.5 1.5 0 0 1 6 18.500v-13A1.5 1.5 0 0 1 7.5 4", "M13.5 4v4.500H18M9 12.500h6M9 16h4"],
  bolt: ["M13 3.5 5.5 13.500H11l-.9 7L18 10.300h-5.600L13 3.500Z"],
  spark: ["M12 4l1.7 5.300L19 11l-5.3 1.700L12 18l-1.7-5.300L5 11l5.3-1.700L12 4Z"],
  person: ["M12 4.500a3.7 3.7 0 1 0 0 7.4 3.7 3.7 0 0 0 0-7.400Z", "M4.8 19.500c.8-3.2 3.7-5 7.2-5s6.4 1.8 7.2 5"],
  link: ["M9 15l6.5-6.500M10 8.500h5.500V14"],
};
const SOURCE_ICONS = {
  rule: "bolt", faq: "badge", cache: "page", core: "page", edge_model: "spark", agent: "person", fallback: "clock",
};

function icon(name, size = 20) {
  const svg = document.createElementNS(SVG, "svg");
  const shape = { viewBox: "0 0 24 24", width: size, height: size, "aria-hidden": "true", focusable: "false" };
  for (const [key, value] of Object.entries(shape)) svg.setAttribute(key, value);
  svg.setAttribute("class", "icon");
  for (const d of ICONS[name]) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", d);
    svg.append(path);
  }
  return svg;
}

// Children are nodes or strings; strings become text nodes, so nothing a customer or a server wrote is parsed as HTML.
function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") node.addEventListener(key, value);
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

function hidden(text) {
  return el("span", { class: "hidden" }, text);
}

function webLink(value) {
  if (typeof value !== "string" || !/^https?:\/\//i.test(value)) return null;
  try {
    return new URL(value).href;
  } catch {
    return null;
  }
}

function anchor(href, ...children) {
  return el("a", { href, target: "_blank", rel: "noopener noreferrer nofollow" }, ...children);
}
