// The list of jobs.

import "../../assets/app.ts";
import "./navigate.ts";
import "./bulk/selection.ts";
import "./sync.ts";
import "./actions.ts";
import "./bulk/bulk.ts";
import "./filter/filters.ts";
import "./look.ts";
import "./rows.ts";
import "./views/views.ts";
