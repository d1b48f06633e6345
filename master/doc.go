// Package master prepares a master (Init), takes everything off again (Drop) and tells beforehand
// what is missing (Doctor).
//
// No statement that worked on the master before Init fails after it: a table gets a replica identity
// before it is published, event triggers keep it so, and whatever goes wrong in them becomes a warning.
// Everything of ours is in schema bridge, or is the publication, the slot, or an event trigger named
// bridge_…; Drop takes all of it away and gives every table the replica identity back that it had.
package master
