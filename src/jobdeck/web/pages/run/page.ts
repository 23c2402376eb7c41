// Run something: the list of types, and the form of one. The server knows the form; this sends what was pressed, takes
// in what comes back, and does what a browser alone cannot: uploads, suggestions, local times.

import "../../assets/app.ts";
import "./moment.ts";
import "./types.ts";
import "./objects/uploads.ts";
import { island } from "../../assets/islands.ts";
import { RunForm } from "./form.ts";

island("run-form", (element) => {
  const form = new RunForm(element as HTMLFormElement);
  return () => form.end();
});
