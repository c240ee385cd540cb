// All files of this folder become one script, in name order, inside one function.

const TENANT = /^[a-z][a-z0-9-]{1,31}$/;
const COLOUR = /^#(?:[0-9a-f]{3}|[0-9a-f]{6})$/i;
const LANGUAGES = ["en", "zh"];

function ownScript() {
  return document.currentScript || document.querySelector('script[data-tenant][src*="widget.js"]');
}

function languageOf(tag) {
  const short = String(tag || "").toLowerCase().split(/[-_]/)[0];
  return LANGUAGES.includes(short) ? short : null;
}

function preferredLanguage(asked) {
  const wishes = [asked, document.documentElement.lang, ...(navigator.languages || [])];
  return wishes.map(languageOf).find(Boolean) || "en";
}

function socketUrl(scriptUrl, tenant) {
  const url = new URL(`v1/${tenant}/chat`, scriptUrl);
  url.protocol = url.protocol === "http:" ? "ws:" : "wss:";
  return url.href;
}

function readConfig(tag) {
  const data = tag.dataset;
  if (!TENANT.test(data.tenant || "")) {
    throw new Error(`nearside: data-tenant "${data.tenant || ""}" is not a tenant id; see the embed code of your chat`);
  }
  const scriptUrl = new URL(tag.src, document.baseURI);
  scriptUrl.search = "";
  return {
    tenant: data.tenant,
    origin: scriptUrl.origin,
    socketUrl: socketUrl(scriptUrl, data.tenant),
    lang: preferredLanguage(data.lang),
    color: COLOUR.test(data.color || "") ? data.color : null,
    theme: ["light", "dark"].includes(data.theme) ? data.theme : "auto",
    position: data.position === "left" ? "left" : "right",
    open: "open" in data && data.open !== "false",
    mount: data.mount || null,
    nonce: tag.nonce || "",
  };
}
