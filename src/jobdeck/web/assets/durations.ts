// How long something took, as core/amounts.py says it: always what has passed in full, never rounded up.

/** `850 ms`, `9.9 s`, `12 s`, `3 min 20 s`, `2 h 05 min`, `3 d 4 h`. */
export function duration(seconds: number): string {
  const micros = Math.floor(seconds * 1e6 + 0.5); // whole ones, as times are; 0.29 s are 290 ms and not 289
  if (micros < 1e6) return `${Math.floor(micros / 1000)} ms`;
  if (micros < 1e7) return `${Math.floor(micros / 1e6)}.${Math.floor(micros / 1e5) % 10} s`;
  const whole = Math.floor(micros / 1e6);
  if (whole < 60) return `${whole} s`;
  const two = (n: number) => String(n).padStart(2, "0");
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${two(whole % 60)} s`;
  if (whole < 86400) return `${Math.floor(whole / 3600)} h ${two(Math.floor((whole % 3600) / 60))} min`;
  return `${Math.floor(whole / 86400)} d ${Math.floor((whole % 86400) / 3600)} h`;
}
