-- One process start is one node, one audit chain and one change stream.
create table node (
    id           bigint primary key,
    name         text not null,
    started_at   bigint not null,
    heartbeat_at bigint not null,
    head         bigint not null,
    ended_at     bigint
);
create index node_by_heartbeat on node (heartbeat_at);

create table change (
    stream  bigint not null,
    seq     bigint not null,
    at      bigint not null,
    topic   text not null,
    payload bytea not null,
    primary key (stream, seq)
);
create index change_by_at on change (at);

create table audit_entry (
    chain bigint not null,
    seq   bigint not null,
    at    bigint not null,
    kind  text not null,
    body  text not null,
    prev  bytea not null,
    hash  bytea not null,
    primary key (chain, seq)
);
create table audit_checkpoint (
    chain      bigint not null,
    no         bigint not null,
    at         bigint not null,
    body       text not null,
    generation bigint not null,
    signature  bytea not null,
    primary key (chain, no)
);

create table key_generation (
    ring       text not null,
    number     bigint not null,
    not_before bigint not null,
    retire_at  bigint,
    destroy_at bigint,
    state      text not null,
    public     bytea,
    sealed     bytea,
    made_at    bigint not null,
    primary key (ring, number)
);
-- One row: which key file this database belongs to.
create table key_custody (
    id      bigint primary key,
    kek_id  text not null,
    made_at bigint not null
);

-- sealed: name, number, phone and birth date under the person's own key.
-- content: keyed digest of the clear row, so that a repeated import changes nothing.
create table person (
    id            bigint primary key,
    state         text not null,
    document_kind text not null,
    sealed        bytea not null,
    content       bytea not null,
    birth_year    bigint,
    district      text not null,
    created_at    bigint not null,
    updated_at    bigint not null
);
-- digest: HMAC-SM3 of a document number; no number is ever stored clear.
create table person_index (
    digest bytea primary key,
    person bigint not null
);
create index person_index_by_person on person_index (person);
create table person_photo (
    person     bigint primary key,
    sealed     bytea not null,
    updated_at bigint not null
);

create table status (
    person      bigint not null,
    scheme      text not null,
    color       bigint not null,
    reason      bigint not null,
    since       bigint not null,
    changes_at  bigint,
    next_color  bigint,
    next_reason bigint,
    flags       bigint not null,
    updated_at  bigint not null,
    primary key (person, scheme)
);
create table status_reason (
    scheme text not null,
    id     bigint not null,
    code   text not null,
    primary key (scheme, id),
    unique (scheme, code)
);
create table import_job (
    digest      bytea primary key,
    kind        text not null,
    file_rows   bigint not null,
    done_rows   bigint not null,
    finished_at bigint,
    updated_at  bigint not null
);

create table session (
    id               bigint primary key,
    person           bigint not null,
    channel          text not null,
    created_at       bigint not null,
    last_used_at     bigint not null,
    counter          bigint not null,
    rotated_at       bigint not null,
    ended_at         bigint,
    end_reason       text,
    level            bigint not null,
    stepped_up_until bigint not null
);
create index session_by_person on session (person);

-- place '' means any place.
create table verifier_grant (
    person     bigint not null,
    scene      text not null,
    place      text not null,
    granted_at bigint not null,
    until_at   bigint,
    primary key (person, scene, place)
);

-- PostgreSQL keeps one partition per UTC day, made ahead by the scan log.
-- engine: sqlite
create table scan (
    id         bytea not null primary key,
    at         bigint not null,
    verifier   bigint not null,
    scene      text not null,
    place      text not null,
    method     text not null,
    outcome    text not null,
    admission  text not null,
    kind       text not null,
    subject    bigint,
    holder     bigint,
    color      bigint,
    disclosed  text not null,
    scanned_at bigint,
    chain      bigint not null,
    seq        bigint not null,
    pos        bigint not null,
    channel    text not null
);
-- engine: postgresql
create table scan (
    id         bytea not null,
    at         bigint not null,
    verifier   bigint not null,
    scene      text not null,
    place      text not null,
    method     text not null,
    outcome    text not null,
    admission  text not null,
    kind       text not null,
    subject    bigint,
    holder     bigint,
    color      bigint,
    disclosed  text not null,
    scanned_at bigint,
    chain      bigint not null,
    seq        bigint not null,
    pos        bigint not null,
    channel    text not null,
    primary key (at, id)
) partition by range (at);
-- engine: all
create index scan_by_verifier on scan (verifier, at, id);
create index scan_by_subject on scan (subject, at, id);
create index scan_by_batch on scan (chain, seq, pos);

create table scan_key (
    caller text not null,
    key    text not null,
    digest bytea not null,
    scan   bytea not null,
    at     bigint not null,
    tries  bigint not null,
    primary key (caller, key)
);
create index scan_key_by_at on scan_key (at);
create table code_use (
    nonce bytea primary key,
    owner bytea not null,
    until bigint not null,
    tries bigint not null
);
create index code_use_by_until on code_use (until);

create table demo_mark (
    id        bigint primary key,
    made_at   bigint not null,
    seeded_at bigint
);
