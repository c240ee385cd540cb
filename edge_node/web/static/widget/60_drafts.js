const QUIET_AFTER_MS = 90000;

// Drafts of running turns. A higher revision replaces the draft, the same one continues it; after a gap the draft waits
// for the reply, which always carries the whole text.
class Drafts {
  #drafts = new Map();
  #finished = new Set();

  constructor(view) {
    this.view = view;
  }

  typing(turnId) {
    const draft = this.#draftOf(String(turnId));
    if (draft) this.#touch(draft);
  }

  add({ turn_id: turnId, revision, sequence, text }) {
    const draft = this.#draftOf(String(turnId));
    if (!draft || !Number.isFinite(revision)) return;
    if (revision > draft.revision) Object.assign(draft, { revision, text: "", next: 0 });
    if (revision === draft.revision && sequence === draft.next) {
      draft.text += String(text);
      draft.next += 1;
    }
    this.#touch(draft);
  }

  end(turnId, isFinal) {
    const draft = this.#drafts.get(turnId);
    if (isFinal) this.#finished.add(turnId);
    if (!draft) return;
    clearTimeout(draft.timer);
    this.#drafts.delete(turnId);
    this.view.draftEnded(turnId);
  }

  clear() {
    for (const id of [...this.#drafts.keys()]) this.end(id, false);
    this.#finished.clear();
  }

  pause() {
    for (const draft of this.#drafts.values()) clearTimeout(draft.timer);
  }

  resume() {
    for (const draft of this.#drafts.values()) this.#touch(draft);
  }

  #draftOf(id) {
    if (this.#finished.has(id)) return null;
    if (!this.#drafts.has(id)) this.#drafts.set(id, { id, text: "", revision: -1, next: 0, timer: 0 });
    return this.#drafts.get(id);
  }

  #touch(draft) {
    clearTimeout(draft.timer);
    draft.timer = setTimeout(() => this.end(draft.id, false), QUIET_AFTER_MS);
    this.view.draft(draft.id, draft.text);
  }
}
