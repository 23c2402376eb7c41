// A row of tabs that is wider than its place shows the one that is open. Who has scrolled it is left alone until another
// tab is.

const shown = new WeakMap<Element, string>();

function showCurrent(): void {
  for (const row of document.querySelectorAll<HTMLElement>(".tabs")) {
    const tab = row.querySelector<HTMLAnchorElement>("a[aria-current]");
    if (!tab || shown.get(row) === tab.text) continue;
    shown.set(row, tab.text);
    const [at, place] = [tab.getBoundingClientRect(), row.getBoundingClientRect()];
    if (at.left < place.left || at.right > place.right) row.scrollLeft += at.left - place.left - (place.width - at.width) / 2;
  }
}

showCurrent();
// Not at once: that would lay out the page, however much of it was morphed, once more than it takes to draw it.
let waiting = 0;
document.addEventListener("morphed", () => {
  cancelAnimationFrame(waiting);
  waiting = requestAnimationFrame(showCurrent);
});
