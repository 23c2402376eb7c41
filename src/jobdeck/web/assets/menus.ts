// Menus (popovers): placed beside the button that opens them, and walked through with the arrow keys.

const ROOM = 8;

document.addEventListener("toggle", (event) => {
  const menu = event.target as HTMLElement;
  if (!menu.matches?.(".menu[popover]")) return;
  const opener = document.querySelector<HTMLElement>(`[popovertarget="${CSS.escape(menu.id)}"]`);
  const open = (event as ToggleEvent).newState === "open";
  opener?.setAttribute("aria-expanded", String(open));
  if (open && opener) {
    place(menu, opener);
    if (menu.getAttribute("role") === "menu") items(menu)[0]?.focus({ preventScroll: true });
  }
}, true);

function place(menu: HTMLElement, opener: HTMLElement): void {
  const at = opener.getBoundingClientRect();
  const width = menu.offsetWidth;
  const height = menu.offsetHeight;
  const fitsRight = at.left + width <= innerWidth - ROOM;
  const left = fitsRight ? at.left : Math.max(ROOM, at.right - width);
  const below = at.bottom + 4;
  const top = below + height <= innerHeight - ROOM ? below : Math.max(ROOM, at.top - height - 4);
  menu.style.left = `${left}px`;
  menu.style.top = `${top}px`;
}

const items = (menu: HTMLElement): HTMLElement[] => [...menu.querySelectorAll<HTMLElement>('[role="menuitem"]')];

document.addEventListener("keydown", (event) => {
  const menu = (event.target as Element).closest?.<HTMLElement>('.menu[role="menu"]');
  if (!menu) return;
  const all = items(menu);
  const now = all.indexOf(event.target as HTMLElement);
  const next = { ArrowDown: now + 1, ArrowUp: now - 1, Home: 0, End: all.length - 1 }[event.key];
  if (next === undefined) return;
  event.preventDefault();
  all.at(next % all.length)?.focus();
});

// A menu hangs on its button; when the page moves under it, it closes.
addEventListener("scroll", () => {
  document.querySelectorAll<HTMLElement>(".menu:popover-open").forEach((menu) => menu.hidePopover());
}, { passive: true });
