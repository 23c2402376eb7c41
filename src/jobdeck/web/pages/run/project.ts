// The project that a form is for: the one chosen in it, or the only one there is.

export function projectOf(form: HTMLElement): string {
  return form.querySelector<HTMLSelectElement>("#run-project")?.value ?? form.dataset["project"] ?? "";
}
