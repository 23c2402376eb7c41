// What the page says about the session it was made for.

export function meta(name: string): string {
  return document.querySelector<HTMLMetaElement>(`meta[name="${name}"]`)?.content ?? "";
}

/** The secret that must come with everything that changes something. */
export const csrfToken = (): string => meta("csrf-token");

/** Tells sessions apart; empty on pages without one. */
export const sessionId = (): string => meta("session");
