// The page of one job.

import "../app.ts";
import "./job/head.ts";
import "./job/operate.ts";
import "./job/again.ts";
import "./job/events.ts";
import "./job/family.ts";
import "./job/logs.ts";
import "./job/replace.ts";
