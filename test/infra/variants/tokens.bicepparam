// Callers show bearer tokens; settings of the app that have no parameter of their own, one of them empty.
using '../../../infra/main.bicep'

param environmentName = 'prod'
param location = 'westeurope'
param authentication = 'jwt'
param jwtIssuer = 'https://login.example/'
param jwtAudience = 'api://streamkit'
param jwtJwksUrl = 'https://login.example/keys'
param furtherSettings = {
  STREAMKIT_STREAMS_MAX: '2000'
  STREAMKIT_WEBHOOK_NETWORKS: ''
}
