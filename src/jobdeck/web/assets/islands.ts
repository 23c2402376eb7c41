// Small scripts for parts of a page: an element with data-island="name" is handed to the function of that name, once,
// whether it came with the page or in a fragment; what the function returns is called when the element has gone.

type Setup = (element: HTMLElement) => void | (() => void);

const setups = new Map<string, Setup>();
const running = new Map<HTMLElement, (() => void) | undefined>();

/** Say what the elements with data-island="`name`" do. */
export function island(name: string, setup: Setup): void {
  setups.set(name, setup);
  wake(document.documentElement);
}

/** Start what came new below `root`, and end what has gone. Called after every swap and morph. */
export function wake(root: ParentNode): void {
  for (const [element, end] of running) {
    if (!element.isConnected) {
      running.delete(element);
      end?.();
    }
  }
  const found = [...root.querySelectorAll<HTMLElement>("[data-island]")];
  if (root instanceof HTMLElement && root.dataset["island"]) found.unshift(root);
  for (const element of found) {
    const setup = setups.get(element.dataset["island"] ?? "");
    if (setup && !running.has(element)) running.set(element, setup(element) ?? undefined);
  }
}
