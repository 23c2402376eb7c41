// The list of jobs.

import "../app.ts";
import "./jobs/navigate.ts";
import "./jobs/selection.ts";
import "./jobs/sync.ts";
import "./jobs/actions.ts";
import "./jobs/bulk.ts";
import "./jobs/filters.ts";
import "./jobs/look.ts";
import "./jobs/rows.ts";
import "./jobs/views.ts";
