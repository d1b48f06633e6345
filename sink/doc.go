// Package sink brings commit blocks to a replica. It pulls them from the
// master's sync table, verifies each, and hands them in windows to a Target,
// which applies a window in one transaction together with the position. Whatever
// fails, the replica stays at the last block that was applied, says why, and
// tries again.
package sink
