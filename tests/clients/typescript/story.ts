/**
 * What a tool does with the generated client, from an empty installation to an acknowledged page.
 *
 *     node built/story.js http://127.0.0.1:8080 isk_… http://127.0.0.1:9000/ada
 *
 * `tsc --strict` checks it: each `Known` fails to compile when the document loses a type.
 */
import assert from "node:assert/strict";
import { argv } from "node:process";
import { createClient, type Client } from "./client/client/index.js";
import {
  acknowledgeIncident,
  createContactMethod,
  createEscalationPolicy,
  createIntegration,
  createService,
  createTeam,
  createUser,
  getIncident,
  ingestAlertmanager,
  listIncidents,
  listTeams,
  listTimeline,
  putMember,
  reopenIncident,
  updateTeam,
  type AcknowledgeIncidentError,
  type AcknowledgeIncidentResponse,
  type CreateTeamError,
  type GetIncidentError,
  type GetIncidentResponse,
  type IncidentRead,
  type ListIncidentsResponse,
  type Problem,
  type ReopenIncidentError,
} from "./client/index.js";

/** The type itself, unless it says nothing: `any` and `unknown` become `never`. */
type Known<T> = 0 extends 1 & T ? never : unknown extends T ? never : T;

function known<T>(value: Known<T>): Known<T> {
  return value;
}

/** An answer of the generated client: either the data or the error is there. */
type Answer<Data, Failure> =
  | { data: Data; error: undefined; response: Response }
  | { data: undefined; error: Failure; response: Response };

function given<Data, Failure>(answer: Answer<Data, Failure>): Data {
  assert.equal(answer.error, undefined, JSON.stringify(answer.error));
  return answer.data as Data;
}

function refused<Data>(answer: Answer<Data, Problem>, status: number): Problem {
  assert.ok(answer.error !== undefined, JSON.stringify(answer.data));
  assert.equal(answer.error.status, status);
  assert.match(answer.response.headers.get("content-type") ?? "", /^application\/problem\+json/);
  return answer.error;
}

/** Make a team with a person, who is paged for one service; return its sender's key. */
async function setUp(client: Client, pagerUrl: string): Promise<string> {
  const team = given(await createTeam({ client, body: { name: "Storage" } }));
  const user = given(
    await createUser({ client, body: { name: "Ada", email: "ada@example.org" } }),
  );
  given(
    await putMember({
      client,
      path: { team_id: team.id, user_id: user.id },
      body: { role: "responder" },
    }),
  );
  given(
    await createContactMethod({
      client,
      path: { user_id: user.id },
      body: { kind: "webhook", address: pagerUrl },
    }),
  );
  const policy = given(
    await createEscalationPolicy({
      client,
      body: {
        team_id: team.id,
        name: "Storage",
        levels: [{ target_type: "user", target_id: user.id }],
      },
    }),
  );
  const service = given(
    await createService({
      client,
      body: { team_id: team.id, name: "disks", escalation_policy_id: policy.id },
    }),
  );
  const integration = given(
    await createIntegration({
      client,
      body: { service_id: service.id, name: "prod", kind: "alertmanager" },
    }),
  );
  return known<string>(integration.key);
}

/** Send what Alertmanager sends. */
async function fire(client: Client): Promise<void> {
  const stored = given(
    await ingestAlertmanager({
      client,
      body: {
        version: "4",
        status: "firing",
        groupLabels: { alertname: "DiskFull" },
        alerts: [
          {
            status: "firing",
            labels: { alertname: "DiskFull", instance: "db1", severity: "critical" },
            annotations: { summary: "The disk of db1 is full" },
            startsAt: "2026-02-03T04:05:06Z",
            endsAt: "0001-01-01T00:00:00Z",
          },
        ],
      },
    }),
  );
  assert.deepEqual([stored.accepted, stored.rejected], [1, 0]);
}

/** Find the incident, acknowledge it, and read what happened. */
async function answer(client: Client): Promise<string> {
  const page = known<ListIncidentsResponse>(
    given(await listIncidents({ client, query: { status: ["OPEN"] } })),
  );
  const [incident] = page.items;
  assert.ok(incident !== undefined && page.items.length === 1);
  known<IncidentRead>(incident);
  known<string | null>(incident.assigned_user_id);
  const path = { incident_id: incident.id };
  const result = known<AcknowledgeIncidentResponse>(
    given(await acknowledgeIncident({ client, path, body: { reason: "looking into it" } })),
  );
  assert.ok(result.changed && result.incident.status === "ACKNOWLEDGED");
  assert.equal(given(await acknowledgeIncident({ client, path })).changed, false);
  known<GetIncidentResponse>(given(await getIncident({ client, path })));
  const timeline = given(await listTimeline({ client, path }));
  assert.ok(typeof timeline !== "string");
  assert.deepEqual(
    timeline.items.map((event) => event.kind),
    ["opened", "paged", "acknowledged"],
  );
  return incident.id;
}

/** Read a list a page at a time. */
async function pageThrough(client: Client): Promise<void> {
  for (const number of [1, 2, 3]) {
    given(await createTeam({ client, body: { name: `Team ${number}` } }));
  }
  const seen: string[] = [];
  let cursor: string | undefined;
  do {
    const page = given(
      await listTeams({ client, query: cursor === undefined ? { limit: 3 } : { limit: 3, cursor } }),
    );
    seen.push(...page.items.map((team) => team.id));
    cursor = page.next_cursor ?? undefined;
  } while (cursor !== undefined);
  assert.equal(new Set(seen).size, seen.length);
  assert.ok(seen.length >= 4);
}

/** Change one field of a thing and leave the others. */
async function change(client: Client): Promise<void> {
  const [team] = given(await listTeams({ client, query: { limit: 1 } })).items;
  assert.ok(team !== undefined);
  const renamed = given(
    await updateTeam({ client, path: { team_id: team.id }, body: { name: "Disks" } }),
  );
  assert.deepEqual([renamed.id, renamed.name], [team.id, "Disks"]);
}

/** Be refused in three ways, each of them typed. */
async function meetProblems(client: Client, incidentId: string): Promise<void> {
  const nowhere = { incident_id: "01980000-0000-7000-8000-000000000000" };
  const missing = refused(await getIncident({ client, path: nowhere }), 404);
  known<GetIncidentError>(missing);
  known<string>(missing.code);
  assert.equal(missing.code, "incident_not_found");
  const conflict = refused(
    await reopenIncident({ client, path: { incident_id: incidentId } }),
    409,
  );
  known<ReopenIncidentError>(conflict);
  known<AcknowledgeIncidentError>(conflict);
  assert.equal(conflict.code, "not_allowed_now");
  const invalid = refused(await createTeam({ client, body: { name: "" } }), 422);
  known<CreateTeamError>(invalid);
  assert.deepEqual(
    invalid.errors?.map((error) => error.pointer),
    ["/name"],
  );
}

const [, , baseUrl, key, pagerUrl] = argv;
assert.ok(
  baseUrl !== undefined && key !== undefined && pagerUrl !== undefined,
  "say where the service is, a key, and where its page shall go",
);
const tool = createClient({ baseUrl, auth: key });
const senderKey = await setUp(tool, pagerUrl);
await fire(createClient({ baseUrl, auth: senderKey }));
const incidentId = await answer(tool);
await pageThrough(tool);
await change(tool);
await meetProblems(tool, incidentId);
console.log("the whole story");
