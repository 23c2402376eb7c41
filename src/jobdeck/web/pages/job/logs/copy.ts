// Copying lines of a log: each as one line with its time and level, whatever the page looks like.

import { lineText } from "./lines.ts";

/** Let what is selected within `box` be copied line by line. A part of one line's text stays that part. */
export function copyLines(box: HTMLElement): void {
  box.addEventListener("copy", (event) => {
    const selection = getSelection();
    if (!selection || selection.rangeCount === 0 || !event.clipboardData) return;
    const range = selection.getRangeAt(0);
    const rows = [...box.querySelectorAll<HTMLElement>(".log-line")].filter((row) => range.intersectsNode(row) && isTouched(range, row));
    const only = (node: Node): boolean => (node instanceof Element ? node : node.parentElement)?.closest(".log-text") !== null;
    if (rows.length === 0 || (rows.length === 1 && only(range.commonAncestorContainer))) return;
    event.preventDefault();
    event.clipboardData.setData("text/plain", `${rows.map(lineText).join("\n")}\n`);
  });
}

/** Whether more of the row is selected than its edge: a selection to the end of a line ends where the next one begins. */
function isTouched(range: Range, row: HTMLElement): boolean {
  const part = document.createRange();
  part.selectNodeContents(row);
  if (range.compareBoundaryPoints(Range.START_TO_START, part) > 0) part.setStart(range.startContainer, range.startOffset);
  if (range.compareBoundaryPoints(Range.END_TO_END, part) < 0) part.setEnd(range.endContainer, range.endOffset);
  return part.toString() !== "" || row.querySelector(".log-text")?.textContent === "";
}
