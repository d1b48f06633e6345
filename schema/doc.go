// Package schema reads the schema of a PostgreSQL database, gives the statements that make it again, and compares two of them.
// What Read returns is complete: an object it found and can not carry over is named in Model.NotCovered, and what had to
// stay behind because it needs something excluded is named in Model.LeftOut; nothing is dropped silently.
//
// A Model is a list of objects, each with a canonical definition (equal text means equal object) and with the statements
// that create it. Definitions are rendered by the server under an empty search_path and pinned settings, so they do not
// depend on who reads them. Servers of majors 14 to 18 can be read, and the statements work on majors 14 to 18, as far as
// the target knows the features used.
//
// Not part of a model: tablespaces, roles, event triggers, publications, subscriptions, and the values
// of sequences.
//
// # Images
//
// A model is made of a Catalog: an image of the system catalogs in entries, one for each object, whose texts the server
// writes. ReadCatalog reads all of them; bridge.catalog, which CaptureFunctions defines, gives those of some objects with the
// same queries, so that an event trigger can tell of a change in its transaction. FromCatalog needs no database.
//
// # Creating a schema
//
// Statements come in three phases. PreData makes everything that rows need, Keys makes primary keys and the indexes that
// serve as replica identity, PostData makes what is cheaper, or only possible, once the rows are there.
//
// The caller owns the session in which they run, and sets there
//
//	set check_function_bodies = off
//	set search_path = ''
//	set default_table_access_method = heap
//	set default_toast_compression = pglz
//	set xmloption = content
//	set client_min_messages = warning
//
// because functions may name what does not exist yet, and because every name in a statement is qualified. Two things of the
// target are taken as given: the roles named in policies (a policy for a role that does not exist fails), and the files of
// the extensions. Refreshing materialized views, building indexes and checking constraints runs functions of the schema as
// the caller; with the empty search_path, functions that do not qualify names can fail there, as they do for pg_restore.
//
// Owners and privileges come last, as objects of their own, so that all else is made by one who may. Their statements name
// the roles that they need, and can be left out where one does not exist (Statement.Roles). Privileges are granted in the
// order in which the master has them, because one can rest on another, and because pg_dump shows it.
//
// Triggers and rules are made as they are. Where rows are applied with session_replication_role = replica, those with
// Object.Firing would fire; who applies has to switch them off.
//
// # From one schema to another
//
// Plan returns the statements that follow a change of the schema, from two models of the same server: objects are recognized
// by their OIDs, columns by their numbers. They run in a session like the one above, on a database with OIDs of its own.
package schema
