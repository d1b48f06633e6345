// Package itest holds the tests of the whole bridge on real servers: the promises of
// the README, and what happens when things are killed, cut, corrupted or filled up.
package itest
