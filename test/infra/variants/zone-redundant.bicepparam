// Instances and data in several zones, and alerts that somebody gets.
using '../../../infra/main.bicep'

param environmentName = 'prod'
param location = 'westeurope'
param zoneRedundant = true
param storageRedundancy = 'Standard_GZRS'
param alertEmails = ['operators@example.org']
