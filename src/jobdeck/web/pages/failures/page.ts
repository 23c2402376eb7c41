// The search of the page of failures: what is typed goes into the address, and the list follows.

import "../../assets/app.ts";
import { island } from "../../assets/islands.ts";
import { fetchInto } from "../../assets/regions.ts";
import { showProblem } from "../../assets/api.ts";

const PAUSE = 250;

island("failures-search", (element) => {
  const form = element as HTMLFormElement;
  let timer = 0;

  function address(): string {
    const url = new URL(location.href);
    const text = String(new FormData(form).get("q") ?? "").trim();
    if (text) url.searchParams.set("q", text);
    else url.searchParams.delete("q");
    url.searchParams.delete("cursor");
    return url.pathname + url.search;
  }

  async function search(): Promise<void> {
    window.clearTimeout(timer);
    const region = document.getElementById(form.dataset["region"] ?? "");
    const url = address();
    if (!region || url === location.pathname + location.search) return;
    history.replaceState(history.state, "", url);
    region.classList.add("busy");
    try {
      await fetchInto(region, url);
    } catch (error) {
      showProblem(error);
    } finally {
      region.classList.remove("busy");
    }
  }

  const typed = (): void => {
    window.clearTimeout(timer);
    timer = window.setTimeout(() => void search(), PAUSE);
  };
  const submitted = (event: Event): void => {
    event.preventDefault();
    void search();
  };
  form.addEventListener("input", typed);
  form.addEventListener("submit", submitted);
  return () => {
    window.clearTimeout(timer);
    form.removeEventListener("input", typed);
    form.removeEventListener("submit", submitted);
  };
});
