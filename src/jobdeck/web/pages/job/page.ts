// The page of one job.

import "../../assets/app.ts";
import "./head.ts";
import "./operate/operate.ts";
import "./operate/again.ts";
import "./events/events.ts";
import "./family/family.ts";
import "./logs/logs.ts";
import "./operate/replace.ts";
