// The list of job types narrows as one types.

const search = document.querySelector<HTMLInputElement>("[data-filter-types]");

function filter(): void {
  const words = (search?.value ?? "").toLowerCase().split(/\s+/).filter(Boolean);
  let found = 0;
  for (const group of document.querySelectorAll<HTMLElement>("[data-group]")) {
    let shown = 0;
    for (const item of group.querySelectorAll<HTMLElement>("[data-type]")) {
      const text = (item.dataset["type"] ?? "").toLowerCase();
      item.hidden = !words.every((word) => text.includes(word));
      if (!item.hidden) shown += 1;
    }
    group.hidden = shown === 0;
    found += shown;
  }
  const none = document.querySelector<HTMLElement>("[data-none]");
  if (none) none.hidden = found > 0;
  const status = document.querySelector("[data-found]");
  if (status) status.textContent = words.length > 0 ? `${found} found` : "";
}

if (search) {
  search.addEventListener("input", filter);
  search.form?.addEventListener("submit", (event) => {
    event.preventDefault();
    document.querySelector<HTMLAnchorElement>("[data-group]:not([hidden]) [data-type]:not([hidden]) a")?.click();
  });
  if (search.value) filter();
}
