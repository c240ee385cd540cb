const WORDS = {
  en: {
    tag: "en", other: "中文", otherTag: "zh-Hans", switchTo: "切换到中文",
    chat: "Chat", open: "Open chat", close: "Close chat", unread: "{n} new",
    conversation: "Conversation", placeholder: "Write a message…", write: "Your message", send: "Send",
    fresh: "New conversation", freshTitle: "Start a new conversation?",
    freshText: "This one will no longer be shown on this device.", freshYes: "Start new", cancel: "Cancel",
    online: "Online", connecting: "Connecting…", reconnecting: "Reconnecting…", colleague: "A colleague is with you",
    offline: "You’re offline. Messages are sent as soon as you’re back.",
    gone: "This chat isn’t available at the moment.", broken: "Something went wrong. Please reload the page.",
    notice: "That didn’t work. Please try again.",
    sending: "Sending", waiting: "Waiting for connection", delivered: "Delivered", failed: "Not sent", retry: "Try again",
    tooFast: "Too many messages, wait a moment", tooLong: "Too long",
    typing: "Writing a reply", newMessages: "New messages", suggestions: "Suggested questions", choices: "Suggested replies",
    sources: "{n} sources", source: "1 source", about: "About your question", you: "You:", reply: "Reply:",
    provisional: "Preliminary. A full answer follows.", answeredBelow: "Answered below",
    left: "{n} characters left", over: "{n} characters too many",
    assistant: "You’re chatting with an automatic assistant.", today: "Today", yesterday: "Yesterday",
    from: {
      rule: "Automatic", faq: "Approved answer", documents: "From our documents", model: "Assistant",
      agent: "A colleague", later: "We’ll get back to you", fallback: "Automatic notice",
    },
  },
  zh: {
    tag: "zh-Hans", other: "EN", otherTag: "en", switchTo: "EN: switch to English",
    chat: "在线客服", open: "打开对话", close: "关闭对话", unread: "{n} 条新消息",
    conversation: "对话内容", placeholder: "请输入您的问题…", write: "您的消息", send: "发送",
    fresh: "新对话", freshTitle: "开始新的对话？", freshText: "当前对话将不再显示在此设备上。", freshYes: "开始", cancel: "取消",
    online: "在线", connecting: "正在连接…", reconnecting: "正在重新连接…", colleague: "人工客服正在为您服务",
    offline: "您已离线，网络恢复后会自动发送消息。",
    gone: "在线客服暂时不可用。", broken: "出了点问题，请刷新页面。", notice: "操作未成功，请再试一次。",
    sending: "发送中", waiting: "等待网络连接", delivered: "已送达", failed: "未发送", retry: "重试",
    tooFast: "消息过于频繁，请稍候", tooLong: "内容过长",
    typing: "正在回复", newMessages: "新消息", suggestions: "常见问题", choices: "可选回复",
    sources: "{n} 个来源", source: "1 个来源", about: "关于您的问题", you: "您：", reply: "回复：",
    provisional: "初步答复，完整答复稍后送达。", answeredBelow: "已在下方答复",
    left: "还可输入 {n} 个字", over: "超出 {n} 个字",
    assistant: "您正在与自动助手对话。", today: "今天", yesterday: "昨天",
    from: {
      rule: "自动回复", faq: "官方答复", documents: "来自我们的文档", model: "智能助手",
      agent: "人工客服", later: "稍后回复您", fallback: "自动通知",
    },
  },
};

function fill(text, n) {
  return text.replace("{n}", String(n));
}

function sourceLabel(words, reply) {
  const from = words.from;
  if (reply.source === "fallback") return reply.final ? from.fallback : from.later;
  if (reply.reason === "clarify") return from.model; // a question back is no approved answer
  if (reply.source === "core" || reply.source === "cache") {
    return reply.citations.length ? from.documents : from.model;
  }
  return { rule: from.rule, faq: from.faq, edge_model: from.model, agent: from.agent }[reply.source] || "";
}

function sameDay(a, b) {
  return a.toDateString() === b.toDateString();
}

function timeOf(words, date) {
  return new Intl.DateTimeFormat(words.tag, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" }).format(date);
}

function dayOf(words, date, now = new Date()) {
  if (sameDay(date, now)) return words.today;
  const before = new Date(now);
  before.setDate(before.getDate() - 1);
  if (sameDay(date, before)) return words.yesterday;
  const shape = { weekday: "long", day: "numeric", month: "long" };
  if (date.getFullYear() !== now.getFullYear()) shape.year = "numeric";
  return new Intl.DateTimeFormat(words.tag, shape).format(date);
}
