// The REST API, for islands: with the session's cookie, its secret, and errors as values with the server's own words.

import { rooted } from "./root.ts";
import { csrfToken } from "./session.ts";
import { reachable, toast } from "./toasts.ts";

/** What the server said when it said no (RFC 9457). */
export interface ProblemDocument {
  status: number;
  code: string;
  detail: string;
  hint?: string | null;
  field?: string | null;
  errors?: { field: string; message: string }[];
  [fact: string]: unknown;
}

export class Problem extends Error {
  constructor(readonly document: ProblemDocument) {
    super(document.detail);
  }
}

/** Ask the API (`path` from the root, or below /api/v1); its JSON, or undefined where it says nothing. Throws Problem. */
export async function api<T = unknown>(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<T> {
  const headers: Record<string, string> = { Accept: "application/json" };
  if (method !== "GET") headers["X-CSRF-Token"] = csrfToken();
  const form = body instanceof FormData;
  if (body !== undefined && !form) headers["Content-Type"] = "application/json";
  const content = body === undefined ? null : form ? body : JSON.stringify(body);
  const response = await ask(path.startsWith("/") ? path : `/api/v1/${path}`, { method, headers, body: content }, signal);
  return (response.status === 204 ? undefined : await response.json()) as T;
}

/** The server's answer, where it says yes; throws Problem where it says no, or does not answer. */
export async function ask(path: string, options: RequestInit, signal?: AbortSignal): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(rooted(path), { ...options, credentials: "same-origin", signal: signal ?? null });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Problem({ status: 0, code: "unreachable", detail: "Jobdeck cannot be reached just now.", hint: "Try again in a moment." });
  }
  reachable();
  if (response.status === 401) goToLogin();
  if (!response.ok) throw new Problem(await problemOf(response));
  return response;
}

/** The problem document of an answer that says no. */
export async function problemOf(response: { status: number; text(): Promise<string> }): Promise<ProblemDocument> {
  return problemFrom(response.status, await response.text());
}

export function problemFrom(status: number, text: string): ProblemDocument {
  try {
    const found = JSON.parse(text) as Partial<ProblemDocument>;
    if (typeof found.detail === "string") return { ...found, status, code: found.code ?? "error", detail: found.detail };
  } catch {
    // Not ours: a proxy's page, or nothing at all.
  }
  return { status, code: "error", detail: `The server answered ${status}.`, hint: "Try again in a moment." };
}

/** Show what went wrong. */
export function showProblem(error: unknown): void {
  const found = error instanceof Problem ? error.document : undefined;
  const unreachable = found?.code === "unreachable";
  toast({ tone: "error", text: found?.detail ?? String(error), hint: found?.hint ?? null, unreachable });
}

export function goToLogin(): void {
  location.assign(`${rooted("/login")}?next=${encodeURIComponent(location.pathname + location.search)}`);
}
