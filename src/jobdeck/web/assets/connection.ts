// The sign in the header that says whether this page hears of what happens.

import { goToLogin } from "./api.ts";
import { live, type LiveState } from "./live.ts";
import { sessionId } from "./session.ts";
import { reachable, toast } from "./toasts.ts";

const WORDS: Record<LiveState, string> = { live: "live", reconnecting: "reconnecting", offline: "offline" };
const TITLES: Record<LiveState, string> = {
  live: "What happens is shown as it happens.",
  reconnecting: "The connection was lost; it is tried again.",
  offline: "Jobdeck cannot be reached. What is shown may be old; it is read again as soon as the connection is back.",
};

function show(state: LiveState): void {
  const sign = document.getElementById("connection");
  const text = sign?.querySelector(".connection-text");
  if (!sign || !text) return;
  sign.dataset["state"] = state;
  sign.title = TITLES[state];
  if (text.textContent !== WORDS[state]) text.textContent = WORDS[state];
}

let told = false;
if (sessionId()) {
  let first = true;
  live.onState((state) => {
    // Before the first answer it is neither live nor lost.
    if (!first || state !== "reconnecting") show(state);
    if (state === "live") {
      first = false;
      reachable();
    }
    if (live.ended && !told) {
      told = true;
      toast({ tone: "warning", text: "Your session has ended.", hint: "Log in again to go on.", seconds: 600 });
      document.getElementById("connection")?.addEventListener("click", goToLogin);
    }
  });
  live.start();
}
