const ELEMENT = "nearside-chat";

function placeFor(config) {
  if (!config.mount) return document.body;
  const place = document.querySelector(config.mount);
  if (!place) throw new Error(`nearside: data-mount "${config.mount}" matches no element; put the script after it`);
  return place;
}

function start(config) {
  const place = placeFor(config);
  if (place.querySelector(`:scope > ${ELEMENT}`)) return;
  if (!customElements.get(ELEMENT)) customElements.define(ELEMENT, NearsideChat);
  const chat = document.createElement(ELEMENT);
  if (!(chat.configure instanceof Function)) return;
  chat.toggleAttribute("data-page", Boolean(config.mount));
  chat.configure(config);
  place.append(chat);
}

const tag = ownScript();
if (!tag) throw new Error("nearside: include widget.js with a script tag that has data-tenant");
const config = readConfig(tag);
if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", () => start(config));
else start(config);
