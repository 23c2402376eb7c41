// Run something: the list of types, and the form of one. The server knows the form; this sends what was pressed, takes
// in what comes back, and does what a browser alone cannot: uploads, suggestions, local times.

import "../app.ts";
import "./run/moment.ts";
import "./run/types.ts";
import "./run/uploads.ts";
import { island } from "../islands.ts";
import { RunForm } from "./run/form.ts";

island("run-form", (element) => {
  const form = new RunForm(element as HTMLFormElement);
  return () => form.end();
});
