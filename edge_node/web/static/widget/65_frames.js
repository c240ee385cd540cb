// What a server sends becomes known shapes here; the rest of the widget trusts them.

function readDate(value) {
  const date = new Date(value);
  return Number.isNaN(date.getTime()) ? new Date() : date;
}

function readText(value) {
  return typeof value === "string" ? value : "";
}

function readCitation(value) {
  return { title: readText(value.title), uri: readText(value.uri), quote: readText(value.quote) };
}

function readMessage(value) {
  return { id: readText(value.id), text: readText(value.text), at: readDate(value.at), eventId: value.event_id };
}

function readChoices(value) {
  return (Array.isArray(value) ? value : []).filter((one) => typeof one === "string" && one.trim()).slice(0, 6);
}

// The turns that a reply ends: several messages may have been answered at once.
function readTurns(value) {
  return [value.turn_id, ...(Array.isArray(value.answers) ? value.answers : [])].map(String);
}

function readReply(value) {
  const citations = Array.isArray(value.citations) ? value.citations : [];
  return {
    eventId: value.event_id, turnId: String(value.turn_id), turnIds: readTurns(value),
    text: readText(value.text), source: readText(value.source), reason: readText(value.reason),
    citations: citations.filter((one) => one && typeof one === "object").map(readCitation),
    final: value.final !== false, quotes: readText(value.quotes), at: readDate(value.at),
    choices: readChoices(value.quick_replies),
  };
}

function readTenant(value) {
  const tenant = value && typeof value === "object" ? value : {};
  return {
    name: readText(tenant.name),
    greeting: readText(tenant.greeting),
    color: COLOUR.test(readText(tenant.color)) ? tenant.color : null,
    suggestions: readChoices(tenant.suggestions),
  };
}

function readLimit(value) {
  return value && Number.isInteger(value.text) && value.text > 0 ? value.text : 8000;
}
