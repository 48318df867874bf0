package user

import "stackforge/nodeid"

// Kind names users in global ids.
const Kind = "User"

// NodeID returns the opaque, global id.
func (u User) NodeID() string { return nodeid.Encode(Kind, u.ID.String()) }
