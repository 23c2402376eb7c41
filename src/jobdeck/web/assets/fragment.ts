// Parts of the page, asked for as HTML.

import { ask } from "./api.ts";
import { csrfToken } from "./session.ts";
import { setServerClock } from "./times.ts";

export interface Asked {
  form?: URLSearchParams | undefined;
  signal?: AbortSignal | undefined;
}

/** With these headers, the server answers with a part of a page, and knows which page the browser shows. */
export const asFragment = (): Record<string, string> => ({ "X-Jobdeck-Fragment": "true", "X-Jobdeck-Page": location.href });

/** The HTML at `url`; with a form it is posted. Throws Problem. */
export async function fragment(url: string, { form, signal }: Asked = {}): Promise<string> {
  const headers = asFragment();
  if (form) headers["X-CSRF-Token"] = csrfToken();
  const answer = await ask(url, { method: form ? "POST" : "GET", headers, body: form ?? null }, signal);
  setServerClock(answer.headers.get("date"));
  return answer.text();
}

/** `html` as a document of its own. */
export const parsed = (html: string): Document => new DOMParser().parseFromString(html, "text/html");
