package crypt

// Tenant is the AEAD of a tenant, without the associated data.
var Tenant = (*Ring).tenant
