// The whole loop of one worker, played through `call(tool, args) -> {error, data}`.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline/promises";

const WORKER = "Ada";
const repo = process.env.PB_REPO;

/** Words with a marker that makes the scripted model edit, run a command and report. */
function brief() {
  const patch =
    "*** Begin Patch\n*** Update File: src/lib.txt\n@@\n one\n-two\n+TWO\n three\n*** End Patch\n";
  const steps = [
    { patch },
    { sh: "printf 'made by shell\\n' > made.txt" },
    { say: "Changed a line and made a file." },
  ];
  const marker = Buffer.from(JSON.stringify(steps)).toString("base64");
  return `Do the edit.\n[[steps:b64=${marker}]]`;
}

export function must(condition, what) {
  if (!condition) throw new Error(`broken: ${typeof what === "string" ? what : JSON.stringify(what)}`);
}

export async function ok(call, tool, args = {}) {
  const { error, data } = await call(tool, args);
  must(!error && data, `${tool}: ${JSON.stringify(data)}`);
  return data;
}

export async function play(call) {
  const say = (tool, args) => ok(call, tool, args);
  let ready = false;
  for (let i = 0; i < 60 && !ready; i++) {
    // codex and git are looked at behind the start
    ready = (await say("codex_self_test")).ready;
    if (!ready) await say("codex_worker_wait", { wait_seconds: 1, scope: "all" });
  }
  must(ready, "self test");
  const started = await say("codex_worker_start", { name: WORKER, brief: brief(), model: "gpt-5.5" });
  must(started.name === WORKER, started);
  let state = "";
  for (let i = 0; i < 60 && !["idle", "failed"].includes(state); i++) {
    if (i > 0) await say("codex_worker_wait", { worker: WORKER, wait_seconds: 5 });
    state = (await say("codex_worker_inspect", { worker: WORKER, view: "status" })).state;
  }
  must(state === "idle", `the worker is ${state}`);
  const report = await say("codex_worker_inspect", { worker: WORKER, view: "report" });
  must(report.report.includes("made a file"), report);
  const changes = await say("codex_worker_inspect", { worker: WORKER, view: "changes" });
  const paths = changes.changed_files.map((file) => file.path).sort();
  must(paths.join() === "made.txt,src/lib.txt", paths);
  const diff = await say("codex_worker_inspect", { worker: WORKER, view: "diff", file_path: "src/lib.txt" });
  must(diff.diff.includes("-two") && diff.diff.includes("+TWO"), diff);
  const preview = await say("codex_worker_inspect", { worker: WORKER, view: "integration_preview" });
  must(preview.can_apply === true, preview);
  const made = join(repo, "made.txt");
  must(!existsSync(made), "the base changed before the apply");
  const early = await call("codex_worker_integrate", { worker: WORKER });
  must(early.error && early.data.code === "preview_required", early);
  const applied = await say("codex_worker_integrate", { worker: WORKER, preview_token: preview.preview_token });
  must(applied.applied === true, applied);
  must(readFileSync(made, "utf8") === "made by shell\n", "made.txt has other words");
  must(readFileSync(join(repo, "src/lib.txt"), "utf8") === "one\nTWO\nthree\n", "src/lib.txt");
  await say("codex_worker_stop", { worker: WORKER, cleanup_workspace: true });
  const unknown = await call("codex_no_such_tool", {});
  must(unknown.error && unknown.data.code === "tool_unknown" && unknown.data.hint, unknown);
}

/** Asks the driver to do something to the server, and waits until it is done. */
export async function driver() {
  const lines = createInterface({ input: process.stdin });
  const answers = lines[Symbol.asyncIterator]();
  return {
    async do(what) {
      console.log(`@${what}`);
      const { value } = await answers.next();
      must(value === `done ${what}`, `the driver says ${value}`);
    },
    close: () => lines.close(),
  };
}
