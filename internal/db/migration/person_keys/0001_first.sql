-- Each person's own data key, sealed under the key-encryption key. Deleting a
-- row makes everything sealed under it unreadable for ever.
create table person_key (
    person  bigint primary key,
    sealed  bytea not null,
    made_at bigint not null
);
