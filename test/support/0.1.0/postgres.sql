CREATE SCHEMA headgate;
CREATE TABLE headgate.answers (
    key text NOT NULL COLLATE pg_catalog."C",
    request text NOT NULL COLLATE pg_catalog."C",
    at bigint NOT NULL,
    answer text COLLATE pg_catalog."C"
);
CREATE TABLE headgate.audit (
    seq bigint NOT NULL,
    at bigint NOT NULL,
    pipeline_id text COLLATE pg_catalog."C",
    record text NOT NULL COLLATE pg_catalog."C"
);
CREATE TABLE headgate.config (
    key text NOT NULL COLLATE pg_catalog."C",
    value text COLLATE pg_catalog."C",
    version bigint NOT NULL,
    updated_at bigint NOT NULL,
    updated_by text COLLATE pg_catalog."C"
);
CREATE TABLE headgate.cursors (
    name text NOT NULL COLLATE pg_catalog."C",
    value text COLLATE pg_catalog."C",
    token bigint NOT NULL,
    node text COLLATE pg_catalog."C",
    lease_until bigint,
    updated_at bigint NOT NULL
);
CREATE TABLE headgate.decisions (
    id text NOT NULL COLLATE pg_catalog."C",
    pipeline_id text NOT NULL COLLATE pg_catalog."C",
    trigger_id text COLLATE pg_catalog."C",
    kind text NOT NULL COLLATE pg_catalog."C",
    scheduled_for bigint,
    at bigint NOT NULL,
    outcome text NOT NULL COLLATE pg_catalog."C",
    reason text NOT NULL COLLATE pg_catalog."C",
    findings text NOT NULL COLLATE pg_catalog."C",
    missed text COLLATE pg_catalog."C"
);
CREATE TABLE headgate.meta (
    key text NOT NULL COLLATE pg_catalog."C",
    value text COLLATE pg_catalog."C"
);
CREATE TABLE headgate.migrations (
    version integer NOT NULL,
    applied_at timestamp with time zone DEFAULT now() NOT NULL
);
CREATE TABLE headgate.pipelines (
    id text NOT NULL COLLATE pg_catalog."C",
    schedule_key text NOT NULL COLLATE pg_catalog."C",
    next_fire_at bigint,
    last_fire_at bigint,
    last_success_at bigint,
    pause text COLLATE pg_catalog."C",
    last_pause text COLLATE pg_catalog."C",
    max_active_runs bigint NOT NULL,
    overlap text NOT NULL COLLATE pg_catalog."C",
    pool text COLLATE pg_catalog."C"
);
CREATE TABLE headgate.runs (
    id text NOT NULL COLLATE pg_catalog."C",
    pipeline_id text NOT NULL COLLATE pg_catalog."C",
    trigger_id text NOT NULL COLLATE pg_catalog."C",
    status text NOT NULL COLLATE pg_catalog."C",
    scheduled_for bigint,
    attempt bigint NOT NULL,
    token bigint NOT NULL,
    node text NOT NULL COLLATE pg_catalog."C",
    lease_until bigint NOT NULL,
    started_at bigint NOT NULL,
    attempt_started_at bigint NOT NULL,
    ended_at bigint,
    retry_at bigint,
    output text COLLATE pg_catalog."C",
    error text COLLATE pg_catalog."C",
    progress text COLLATE pg_catalog."C",
    cancel_request text COLLATE pg_catalog."C",
    attempts text NOT NULL COLLATE pg_catalog."C",
    is_forced boolean NOT NULL,
    reference text COLLATE pg_catalog."C"
)
WITH (fillfactor='80', autovacuum_vacuum_scale_factor='0.01', autovacuum_vacuum_threshold='1000', autovacuum_vacuum_cost_delay='0');
CREATE TABLE headgate.triggers (
    id text NOT NULL COLLATE pg_catalog."C",
    pipeline_id text NOT NULL COLLATE pg_catalog."C",
    kind text NOT NULL COLLATE pg_catalog."C",
    status text NOT NULL COLLATE pg_catalog."C",
    priority text NOT NULL COLLATE pg_catalog."C",
    "order" double precision NOT NULL,
    scheduled_for bigint,
    key text COLLATE pg_catalog."C",
    reason text COLLATE pg_catalog."C",
    "user" text COLLATE pg_catalog."C",
    parameters text COLLATE pg_catalog."C",
    created_at bigint NOT NULL,
    available_at bigint NOT NULL,
    expires_at bigint,
    is_forced boolean NOT NULL,
    token bigint NOT NULL,
    node text COLLATE pg_catalog."C",
    lease_until bigint,
    run_id text COLLATE pg_catalog."C",
    ended_at bigint,
    end_reason text COLLATE pg_catalog."C",
    supersedes text COLLATE pg_catalog."C",
    superseded_by text COLLATE pg_catalog."C",
    unique_key text COLLATE pg_catalog."C"
)
WITH (fillfactor='80', autovacuum_vacuum_scale_factor='0.01', autovacuum_vacuum_threshold='1000', autovacuum_vacuum_cost_delay='0');
INSERT INTO headgate.audit VALUES (1, 1772438400434, 'paused', '{"at":1772438400434,"kind":"change","action":"pause","pipelineId":"paused","user":"ana","token":null,"role":null,"address":null,"requestId":null,"outcome":"done","reason":"warehouse move","before":null,"after":{"at":1772438400434,"until":null,"reason":"warehouse move","user":"ana"},"seq":1,"previous":"","hash":"58ac40c7fa1078cee87e0ac3c2ad3d397bed08bbd3ca4959a7982811e33cd953"}');
INSERT INTO headgate.audit VALUES (2, 1772438400447, NULL, '{"at":1772438400447,"kind":"change","action":"token.issue","pipelineId":null,"user":"ana","token":null,"role":null,"address":null,"requestId":null,"outcome":"done","reason":null,"before":null,"after":{"id":"01kjprzbdyg000000080000000","role":"operator","pipelines":null,"description":"console","createdBy":"ana","createdAt":"2026-03-02T08:00:00.446Z","expiresAt":null,"revokedAt":null,"previousUntil":null},"seq":2,"previous":"58ac40c7fa1078cee87e0ac3c2ad3d397bed08bbd3ca4959a7982811e33cd953","hash":"dbf116e4135b7798900d13cd8b68e5c07a4953a2dc2b9526a0b44cc859cbf70e"}');
INSERT INTO headgate.audit VALUES (3, 1772438400455, 'done', '{"at":1772438400455,"kind":"change","action":"maintenance","pipelineId":"done","user":"ana","token":null,"role":null,"address":null,"requestId":null,"outcome":"done","reason":"backup","before":null,"after":{"id":"01KJPRZBE5G000000080000000","pipelineId":"done","window":{"start":"22:00","end":"23:00","days":["saturday"],"timeZone":"Europe/Berlin"},"at":1772438400454,"user":"ana"},"seq":3,"previous":"dbf116e4135b7798900d13cd8b68e5c07a4953a2dc2b9526a0b44cc859cbf70e","hash":"7cd3bf60a0aa5eaf47ff4309b8fbbda13e4e23573bad123ae79954c51f2cacb1"}');
INSERT INTO headgate.audit VALUES (4, 1772438400463, 'done', '{"at":1772438400463,"kind":"change","action":"settings","pipelineId":"done","user":"ben","token":null,"role":null,"address":null,"requestId":null,"outcome":"done","reason":"more at once","before":{},"after":{"maxActiveRuns":3},"seq":4,"previous":"7cd3bf60a0aa5eaf47ff4309b8fbbda13e4e23573bad123ae79954c51f2cacb1","hash":"8e980a98279a1df54681c6629a6cc298bbfa2a1a80e1a557c5e4724b01640cba"}');
INSERT INTO headgate.audit VALUES (5, 1772438402978, 'flaky', '{"at":1772438402978,"kind":"change","action":"silence","pipelineId":"flaky","user":"ben","token":null,"role":null,"address":null,"requestId":null,"outcome":"done","reason":"the provider is down","before":null,"after":{"id":"01KJPRZDX1G000000080000000","pipelineId":"flaky","rule":null,"tag":null,"from":1772438402977,"until":1772445602977,"reason":"the provider is down","user":"ben"},"seq":5,"previous":"8e980a98279a1df54681c6629a6cc298bbfa2a1a80e1a557c5e4724b01640cba","hash":"bd0318130d9426f16a8de1cbe63ea992043680df4eac56d233de4135844386d5"}');
INSERT INTO headgate.config VALUES ('tokens', '[{"id":"01kjprzbdyg000000080000000","role":"operator","pipelines":null,"description":"console","createdAt":1772438400446,"createdBy":"ana","expiresAt":null,"revokedAt":null,"hash":"b3a9a86aaa20d6e72195e8c2c6b7cceb319a07617ebc4d1f60b6e53f6b08ddbc","previous":null}]', 1, 1772438400447, 'ana');
INSERT INTO headgate.config VALUES ('settings', '{"pipelines":{"done":{"maxActiveRuns":{"value":3,"at":1772438400462,"user":"ben"}}},"windows":[{"id":"01KJPRZBE5G000000080000000","pipelineId":"done","window":{"start":"22:00","end":"23:00","days":["saturday"],"timeZone":"Europe/Berlin"},"at":1772438400454,"user":"ana"}]}', 2, 1772438400462, 'ben');
INSERT INTO headgate.config VALUES ('nodes', '{"node-1":{"clockAheadMs":-23654814541,"cpu":0.5897812671095434,"memory":0.048421646920339456,"activeRuns":1,"failingSensors":[],"failingProbes":[],"seenAt":1772438401116}}', 1, 1772438401117, 'node-1');
INSERT INTO headgate.config VALUES ('alerts', '{"alerts":[{"id":"run_failed|broken|","rule":"run_failed","severity":"critical","pipelineId":"broken","labels":{},"tags":[],"status":"firing","since":1772438401116,"firedAt":1772438401116,"toldAt":1772438401116,"message":"the last run failed, at 2026-03-02T08:00:00.440Z","value":1,"limit":0,"silencedBy":null},{"id":"clock_skew||node-1","rule":"clock_skew","severity":"warning","pipelineId":null,"labels":{},"tags":[],"status":"pending","since":1772438401116,"firedAt":null,"toldAt":null,"message":"the clock of node node-1 is 273d 18h behind the store''s","value":-23654814541,"limit":5000,"silencedBy":null}],"deliveries":[]}', 1, 1772438401137, 'node-1');
INSERT INTO headgate.config VALUES ('silences', '[{"id":"01KJPRZDX1G000000080000000","pipelineId":"flaky","rule":null,"tag":null,"from":1772438402977,"until":1772445602977,"reason":"the provider is down","user":"ben"}]', 1, 1772438402978, 'ben');
INSERT INTO headgate.cursors VALUES ('headgate: alerts', NULL, 1, 'node-1', 1772438431116, 1772438401116);
INSERT INTO headgate.decisions VALUES ('01KJPRZB3KG000000080000001', 'done', '01KJPRZB3GG000000080000000', 'manual', NULL, 1772438400115, 'run', 'no conditions to meet', '[]', NULL);
INSERT INTO headgate.decisions VALUES ('01KJPRZB3TG000000080000001', 'held', '01KJPRZB3KG000000080000000', 'manual', NULL, 1772438400122, 'hold', 'approval: could not be evaluated (the condition answered {"outcome":"block","reason":"nobody has approved it"} instead of a boolean or a verdict), which counts as block; looked at again 2026-03-02T08:15:00.122Z, given up after 1d', '[{"condition":"approval","result":"block","reason":"could not be evaluated (the condition answered {\"outcome\":\"block\",\"reason\":\"nobody has approved it\"} instead of a boolean or a verdict), which counts as block","evidence":{"error":"the condition answered {\"outcome\":\"block\",\"reason\":\"nobody has approved it\"} instead of a boolean or a verdict"}}]', NULL);
INSERT INTO headgate.decisions VALUES ('01KJPRZB43G000000080000000', 'busy', '01KJPRZB3TG000000080000000', 'manual', NULL, 1772438400131, 'run', 'no conditions to meet', '[]', NULL);
INSERT INTO headgate.decisions VALUES ('01KJPRZBDJG000000080000000', 'flaky', '01KJPRZBDGG000000080000000', 'manual', NULL, 1772438400434, 'run', 'no conditions to meet', '[]', NULL);
INSERT INTO headgate.decisions VALUES ('01KJPRZBDJG000000080000002', 'broken', '01KJPRZBDHG000000080000000', 'manual', NULL, 1772438400434, 'run', 'no conditions to meet', '[]', NULL);
INSERT INTO headgate.meta VALUES ('audit_head', '{"seq":5,"hash":"bd0318130d9426f16a8de1cbe63ea992043680df4eac56d233de4135844386d5"}');
INSERT INTO headgate.migrations VALUES (1, '2026-12-01 02:46:54.609578+00');
INSERT INTO headgate.migrations VALUES (2, '2026-12-01 02:46:54.627511+00');
INSERT INTO headgate.migrations VALUES (3, '2026-12-01 02:46:54.628245+00');
INSERT INTO headgate.pipelines VALUES ('held', 'manual()', NULL, NULL, NULL, NULL, NULL, 1, 'queue_one', NULL);
INSERT INTO headgate.pipelines VALUES ('busy', 'manual()', NULL, NULL, NULL, NULL, NULL, 1, 'queue_one', NULL);
INSERT INTO headgate.pipelines VALUES ('flaky', 'manual()', NULL, NULL, NULL, NULL, NULL, 1, 'queue_one', NULL);
INSERT INTO headgate.pipelines VALUES ('broken', 'manual()', NULL, NULL, NULL, NULL, NULL, 1, 'queue_one', NULL);
INSERT INTO headgate.pipelines VALUES ('tuned', 'adaptive every(3600000,0)', 1772442000000, NULL, NULL, NULL, NULL, 1, 'queue_one', NULL);
INSERT INTO headgate.pipelines VALUES ('paused', 'cron(0 * * * *,UTC)', 1772442000000, NULL, NULL, '{"at":1772438400434,"until":null,"reason":"warehouse move","user":"ana"}', NULL, 1, 'queue_one', NULL);
INSERT INTO headgate.pipelines VALUES ('done', 'every(3600000,0)', 1772442000000, NULL, 1772438400133, NULL, NULL, 3, 'queue_one', NULL);
INSERT INTO headgate.runs VALUES ('01KJPRZB43G000000080000001', 'busy', '01KJPRZB3TG000000080000000', 'running', NULL, 1, 1, 'node-1', 1772438430131, 1772438400131, 1772438400131, NULL, NULL, NULL, NULL, NULL, NULL, '[]', false, NULL);
INSERT INTO headgate.runs VALUES ('01KJPRZB3KG000000080000002', 'done', '01KJPRZB3GG000000080000000', 'succeeded', NULL, 1, 1, 'node-1', 1772438430115, 1772438400115, 1772438400115, 1772438400133, NULL, '{"rows":12}', NULL, NULL, NULL, '[]', false, NULL);
INSERT INTO headgate.runs VALUES ('01KJPRZBDJG000000080000001', 'flaky', '01KJPRZBDGG000000080000000', 'retrying', NULL, 1, 1, 'node-1', 1772438430434, 1772438400434, 1772438400434, NULL, 1772442000440, NULL, '{"message":"no prices yet","code":"E_PRICES"}', NULL, NULL, '[{"attempt":1,"startedAt":1772438400434,"endedAt":1772438400440,"outcome":"failed","error":{"message":"no prices yet","code":"E_PRICES"},"node":"node-1"}]', false, NULL);
INSERT INTO headgate.runs VALUES ('01KJPRZBDJG000000080000003', 'broken', '01KJPRZBDHG000000080000000', 'failed', NULL, 1, 1, 'node-1', 1772438430434, 1772438400434, 1772438400434, 1772438400440, NULL, NULL, '{"message":"the warehouse is gone","code":null}', NULL, NULL, '[]', false, NULL);
INSERT INTO headgate.triggers VALUES ('01KJPRZB3KG000000080000000', 'held', 'manual', 'held', 'normal', 1772439600115, NULL, NULL, NULL, 'ben', NULL, 1772438400115, 1772439300122, 1772524800122, false, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO headgate.triggers VALUES ('01KJPRZB3TG000000080000000', 'busy', 'manual', 'running', 'normal', 1772439600123, NULL, NULL, NULL, NULL, '{"part":1}', 1772438400123, 1772438400123, NULL, false, 1, NULL, NULL, '01KJPRZB43G000000080000001', NULL, NULL, NULL, NULL, NULL);
INSERT INTO headgate.triggers VALUES ('01KJPRZB3GG000000080000000', 'done', 'manual', 'succeeded', 'normal', 1772439600113, NULL, 'done-1', 'first load', 'ana', '{"day":"2026-03-01"}', 1772438400113, 1772438400113, NULL, false, 1, NULL, NULL, '01KJPRZB3KG000000080000002', 1772438400133, NULL, NULL, NULL, 'key:done-1');
INSERT INTO headgate.triggers VALUES ('01KJPRZBDCG000000080000000', 'busy', 'manual', 'pending', 'normal', 1772439600429, NULL, NULL, NULL, NULL, '{"part":2,"text":"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"}', 1772438400429, 1772438400429, NULL, false, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO headgate.triggers VALUES ('01KJPRZBDEG000000080000000', 'busy', 'manual', 'pending', 'normal', 1772439600431, NULL, NULL, NULL, NULL, '{"part":3}', 1772438400431, 1772442000000, NULL, false, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO headgate.triggers VALUES ('01KJPRZBDGG000000080000000', 'flaky', 'manual', 'running', 'normal', 1772439600432, NULL, NULL, NULL, NULL, NULL, 1772438400432, 1772438400432, NULL, false, 1, NULL, NULL, '01KJPRZBDJG000000080000001', NULL, NULL, NULL, NULL, NULL);
INSERT INTO headgate.triggers VALUES ('01KJPRZBDTG000000080000000', 'paused', 'manual', 'pending', 'normal', 1772439600443, NULL, NULL, NULL, NULL, NULL, 1772438400443, 1772438400443, NULL, false, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO headgate.triggers VALUES ('01KJPRZBDHG000000080000000', 'broken', 'manual', 'failed', 'normal', 1772439600433, NULL, NULL, NULL, NULL, NULL, 1772438400433, 1772438400433, NULL, false, 1, NULL, NULL, '01KJPRZBDJG000000080000003', 1772438400440, 'the warehouse is gone', NULL, NULL, NULL);
ALTER TABLE ONLY headgate.answers
    ADD CONSTRAINT answers_pkey PRIMARY KEY (key);
ALTER TABLE ONLY headgate.audit
    ADD CONSTRAINT audit_pkey PRIMARY KEY (seq);
ALTER TABLE ONLY headgate.config
    ADD CONSTRAINT config_pkey PRIMARY KEY (key);
ALTER TABLE ONLY headgate.cursors
    ADD CONSTRAINT cursors_pkey PRIMARY KEY (name);
ALTER TABLE ONLY headgate.decisions
    ADD CONSTRAINT decisions_pkey PRIMARY KEY (id);
ALTER TABLE ONLY headgate.meta
    ADD CONSTRAINT meta_pkey PRIMARY KEY (key);
ALTER TABLE ONLY headgate.migrations
    ADD CONSTRAINT migrations_pkey PRIMARY KEY (version);
ALTER TABLE ONLY headgate.pipelines
    ADD CONSTRAINT pipelines_pkey PRIMARY KEY (id);
ALTER TABLE ONLY headgate.runs
    ADD CONSTRAINT runs_pkey PRIMARY KEY (id);
ALTER TABLE ONLY headgate.triggers
    ADD CONSTRAINT triggers_pkey PRIMARY KEY (id);
CREATE INDEX on_answers_at ON headgate.answers USING btree (at);
CREATE INDEX on_decisions_at ON headgate.decisions USING btree (at) WHERE (trigger_id IS NULL);
CREATE INDEX on_decisions_pipeline_id_id ON headgate.decisions USING btree (pipeline_id, id);
CREATE INDEX on_decisions_trigger_id ON headgate.decisions USING btree (trigger_id) WHERE (trigger_id IS NOT NULL);
CREATE INDEX on_pipelines_id ON headgate.pipelines USING btree (id) WHERE (pause IS NOT NULL);
CREATE INDEX on_runs_pipeline_id_started_at ON headgate.runs USING btree (pipeline_id, started_at);
CREATE INDEX on_runs_retry_at ON headgate.runs USING btree (retry_at) WHERE (status = 'retrying'::text);
CREATE INDEX on_runs_status_lease_until ON headgate.runs USING btree (status, lease_until) WHERE (status = ANY (ARRAY['running'::text, 'retrying'::text]));
CREATE INDEX on_triggers__order_id ON headgate.triggers USING btree ("order", id) WHERE (status = ANY (ARRAY['pending'::text, 'held'::text]));
CREATE INDEX on_triggers_available_at ON headgate.triggers USING btree (available_at) WHERE ((status = ANY (ARRAY['pending'::text, 'held'::text])) AND (available_at > created_at));
CREATE INDEX on_triggers_ended_at ON headgate.triggers USING btree (ended_at) WHERE (ended_at IS NOT NULL);
CREATE INDEX on_triggers_expires_at ON headgate.triggers USING btree (expires_at) WHERE ((status = ANY (ARRAY['pending'::text, 'held'::text])) AND (expires_at IS NOT NULL));
CREATE INDEX on_triggers_forced ON headgate.triggers USING btree ("order", id) WHERE ((status = ANY (ARRAY['pending'::text, 'held'::text])) AND is_forced);
CREATE INDEX on_triggers_lease_until ON headgate.triggers USING btree (lease_until) WHERE ((status = ANY (ARRAY['pending'::text, 'held'::text])) AND (node IS NOT NULL));
CREATE INDEX on_triggers_pipeline_id_id ON headgate.triggers USING btree (pipeline_id, id);
CREATE UNIQUE INDEX on_triggers_pipeline_id_unique_key ON headgate.triggers USING btree (pipeline_id, unique_key) WHERE (unique_key IS NOT NULL);
