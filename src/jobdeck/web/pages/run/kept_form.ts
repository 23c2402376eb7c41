// What was written into a form, kept in this tab for when one comes back: after a login, from another page, by Back.
// Secrets are never kept: fields that are shown as dots, and whatever has a name that tells of one (`data-secrets`).

import { FORMS } from "../../assets/logout.ts";

type Pairs = [string, string][];

interface Kept {
  pairs: Pairs;
  /** Something was not kept because it is secret. */
  withoutSecrets: boolean;
}

/** Names that are another one each time, or tell what was pressed. */
const OWN = ["_csrf", "key", "do"];
const MASK = "********";

export class KeptForm {
  private readonly place: string;
  private readonly secret: RegExp;
  private readonly begun: string;

  constructor(private readonly form: HTMLFormElement) {
    const query = new URLSearchParams(location.search);
    query.sort();
    this.place = `${FORMS}${form.dataset["owner"]}:${location.pathname}?${query}`;
    this.secret = new RegExp(form.dataset["secrets"] || ".", "i");
    this.begun = JSON.stringify(this.read().pairs);
  }

  /** What was kept of this form by the same person, if anything. */
  find(): Kept | undefined {
    try {
      return JSON.parse(sessionStorage.getItem(this.place) ?? "null") as Kept | null ?? undefined;
    } catch {
      return undefined; // storage is switched off, or holds something else
    }
  }

  /** Keep what stands in the form now; nothing where it is as it was at first. */
  keep(): void {
    const kept = this.read();
    try {
      if (JSON.stringify(kept.pairs) === this.begun) this.forget();
      else sessionStorage.setItem(this.place, JSON.stringify(kept));
    } catch {
      // Storage is switched off or full: the form works without.
    }
  }

  forget(): void {
    try {
      sessionStorage.removeItem(this.place);
    } catch {
      // There is nothing, then.
    }
  }

  private read(): Kept {
    const pairs: Pairs = [];
    let withoutSecrets = false;
    const hidden = new Set([...this.form.querySelectorAll<HTMLInputElement>("input[type=password]")].map((field) => field.name));
    const names = new Map([...new FormData(this.form)].filter(([name]) => name.startsWith("k:")).map(([name, value]) => [name.slice(2), String(value)]));
    for (const [name, value] of new FormData(this.form)) {
      if (typeof value !== "string" || OWN.includes(name)) continue;
      const text = hidden.has(name) ? "" : this.shown(name, value, names);
      if (text !== value) withoutSecrets = true;
      pairs.push([name, text]);
    }
    return { pairs, withoutSecrets };
  }

  /** The value of a control without secrets. */
  private shown(name: string, value: string, names: Map<string, string>): string {
    const [, letter, path] = /^(\w):(.*)$/.exec(name) ?? [];
    if (name === "json") return this.json(value);
    if (letter !== "v" || path === undefined || value === "") return value;
    const parts = path.split("/");
    const told = parts.map((part, place) => names.get(parts.slice(0, place + 1).join("/")) ?? part);
    if (told.some((part) => this.secret.test(part))) return "";
    return /^\s*[{[]/.test(value) ? this.json(value) : value;
  }

  /** JSON with secrets left out; what is no JSON yet and names one is not kept at all. */
  private json(text: string): string {
    try {
      const whole: unknown = JSON.parse(text);
      const open = this.open(whole);
      return JSON.stringify(open) === JSON.stringify(whole) ? text : JSON.stringify(open, null, 2);
    } catch {
      return [...text.matchAll(/[\w.-]+/g)].some(([word]) => this.secret.test(word)) ? "" : text;
    }
  }

  private open(value: unknown): unknown {
    if (Array.isArray(value)) return value.map((item) => this.open(item));
    if (typeof value !== "object" || value === null) return value;
    const entries = Object.entries(value).filter(([name, inner]) => inner === MASK || !this.secret.test(name));
    return Object.fromEntries(entries.map(([name, inner]) => [name, this.open(inner)]));
  }
}
