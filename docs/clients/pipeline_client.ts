/** Report a script's runs to Slotcast. Needs nothing but Node 22 (or Deno, or Bun); copy it beside your script.
 *
 *   await pipelineJob("https://slotcast.example", TOKEN, "scrape", { scriptType: "my-crawler" }, async (job) => {
 *     for (const [n, page] of pages.entries())
 *       await job.report({ progress: Math.floor((100 * n) / pages.length) }); // throws Cancelled when asked to stop
 *     return { total: pages.length };
 *   });
 */

export class Cancelled extends Error {}
export class Refused extends Error {} // by Slotcast, in its words: a token that is not valid, a run that was given up

type Values = Record<string, unknown>;
type State = Values & { id: string; attempt: number; cancelRequested: boolean; leaseSeconds: number };

export class Job {
  private reportedAt = 0;
  private base: string;
  private token: string;
  state: State;

  constructor(base: string, token: string, state: State) {
    [this.base, this.token, this.state] = [base, token, state];
  }

  /** progress, stage, log, workId, editionId …; percentages go out once a second at most. */
  async report(said: Values = {}): Promise<void> {
    if (Object.keys(said).some((name) => name !== "progress") || Date.now() - this.reportedAt > 1000) {
      this.reportedAt = Date.now();
      await this.patch(said);
    }
    if (this.state.cancelRequested) throw new Cancelled("Cancelled on request");
  }

  async patch(said: Values, tries = 5): Promise<void> {
    const report = { ...said, attempt: this.state.attempt };
    this.state = await send("PATCH", `${this.base}/${this.state.id}`, this.token, report, tries);
  }
}

async function send(method: string, url: string, token: string, body: Values, tries = 5): Promise<State> {
  const headers = { Authorization: `Bearer ${token}`, "Content-Type": "application/json" };
  const request = { method, headers, body: JSON.stringify(body), signal: AbortSignal.timeout(15_000) };
  const answer = await fetch(url, request).catch((error) => error as Error);
  if (answer instanceof Response && answer.ok) return (await answer.json()) as State;
  if (answer instanceof Response && answer.status < 500 && answer.status !== 429)
    throw new Refused(`${answer.status}: ${await answer.text()}`);
  if (tries === 1) throw answer instanceof Error ? answer : new Error(`${method} ${url}: ${answer.status}`);
  await new Promise((resolve) => setTimeout(resolve, 1000 * 2 ** (5 - tries))); // sending again does no harm
  return send(method, url, token, body, tries - 1);
}

export async function pipelineJob(
  url: string, token: string, jobType: string, input: Values, work: (job: Job) => Promise<Values>, links: Values = {},
): Promise<Values> {
  const base = `${url.replace(/\/$/, "")}/api/pipeline-jobs`;
  const now = Date.now().toString(16).padStart(12, "0"); // a UUID of version 7 begins with its moment
  const id = `${now.slice(0, 8)}-${now.slice(8)}-7${crypto.randomUUID().slice(15)}`;
  const job = new Job(base, token, await send("POST", base, token, { id, jobType, input, status: "running", ...links }));
  const beat = setInterval(() => void job.patch({}, 1).catch(() => undefined), job.state.leaseSeconds * 250);
  const output = await work(job).catch(async (error) => {
    const status = error instanceof Cancelled ? "cancelled" : "failed";
    await job.patch({ status, error: String(error?.message ?? error) }).catch(() => undefined);
    throw error; // what went wrong in the script matters more
  }).finally(() => clearInterval(beat));
  await job.patch({ status: "success", output });
  return output;
}
