// Numbers as the server writes them: with thin groups of three digits.

const english = new Intl.NumberFormat("en");

export const numbers = { format: (value: number): string => english.format(value).replaceAll(",", " ") };
