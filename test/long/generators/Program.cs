// The calls of the README by the clients of Kiota and of NSwag: `clients kiota|nswag URL STORE`. Prints what every such program prints.

using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.Kiota.Abstractions.Authentication;
using Microsoft.Kiota.Abstractions.Serialization;
using Microsoft.Kiota.Http.HttpClientLibrary;
using KiotaModels = Streamkit.Kiota.Models;
using NSwagClient = Streamkit.NSwag;

var (generator, url, store) = (args[0], args[1], Guid.Parse(args[2]));
var calls = generator == "kiota" ? await WithKiota(url, store) : await WithNSwag(url, store);
Console.WriteLine(calls.ToJsonString());

static async Task<JsonObject> WithKiota(string url, Guid store)
{
    var adapter = new HttpClientRequestAdapter(new AnonymousAuthenticationProvider()) { BaseUrl = url };
    var space = new Streamkit.Kiota.StreamkitClient(adapter).V1.Stores[store].Spaces["orders"];
    var segment = space.Segments["order-1"];
    static UntypedNode Event(string name, int? total) =>
        new UntypedObject(total is null
            ? new Dictionary<string, UntypedNode> { ["event"] = new UntypedString(name) }
            : new Dictionary<string, UntypedNode> { ["event"] = new UntypedString(name), ["total"] = new UntypedInteger(total.Value) });
    var paid = new KiotaModels.ProduceRecord_metadata { AdditionalData = { ["by"] = "card" } };
    var produced = await segment.Records.PostAsync(
        new() { Records = [new() { Payload = Event("placed", 42) }, new() { Payload = Event("paid", null), Metadata = paid }] },
        request =>
        {
            request.QueryParameters.EncodingAsPayloadEncoding = KiotaModels.PayloadEncoding.Json;
            request.Headers.Add("Idempotency-Key", Guid.NewGuid().ToString());
        });
    var read = await segment.Entries.GetAsync(request => request.QueryParameters.EncodingAsPayloadEncoding = KiotaModels.PayloadEncoding.Json);
    var page = await space.Entries.GetAsync(request => request.QueryParameters.Limit = 1);
    KiotaModels.Problem? problem = null;
    try
    {
        await segment.Records.PostAsync(
            new() { Records = [new() { Sequence = 2, Payload = new UntypedString("too late") }] },
            request => request.QueryParameters.EncodingAsPayloadEncoding = KiotaModels.PayloadEncoding.Text);
    }
    catch (KiotaModels.Problem refused)
    {
        problem = refused;
    }
    var payloads = new JsonArray();
    foreach (var entry in read!.Entries!) payloads.Add(JsonNode.Parse(await KiotaJsonSerializer.SerializeAsStringAsync(entry.Payload!)));
    return Told(
        produced!.Status!.LastSequence!.Value,
        payloads,
        read.Entries[1].Metadata?.AdditionalData["by"].ToString(),
        page!.Entries!.Count,
        page.Next,
        problem?.Status,
        problem?.Code == KiotaModels.ErrorCode.Sequence_mismatch ? "sequence_mismatch" : null,
        problem?.LastSequence,
        problem?.Winner == produced.Transactions![0].Id.ToString());
}

static async Task<JsonObject> WithNSwag(string url, Guid store)
{
    var client = new NSwagClient.StreamkitClient(new HttpClient()) { BaseUrl = url };
    var json = NSwagClient.PayloadEncoding.Json;
    var produced = await client.ProduceAsync(store, "orders", "order-1", encoding: json, idempotency_Key: Guid.NewGuid().ToString(), body: new()
    {
        Records =
        [
            new() { Payload = new { @event = "placed", total = 42 } },
            new() { Payload = new { @event = "paid" }, Metadata = new Dictionary<string, string> { ["by"] = "card" } },
        ],
    });
    var read = await client.ConsumeSegmentAsync(store, "orders", "order-1", encoding: json);
    var page = await client.ConsumeSpaceAsync(store, "orders", limit: 1, encoding: json);
    NSwagClient.Problem? problem = null;
    try
    {
        await client.ProduceAsync(store, "orders", "order-1", encoding: NSwagClient.PayloadEncoding.Text, body: new()
        {
            Records = [new() { Sequence = 2, Payload = "too late" }],
        });
    }
    catch (NSwagClient.ApiException<NSwagClient.Problem> refused)
    {
        problem = refused.Result;
    }
    var entries = read.Entries.ToList();
    var payloads = new JsonArray([.. entries.Select(entry => JsonNode.Parse(JsonSerializer.Serialize(entry.Payload)))]);
    return Told(
        produced.Status.LastSequence,
        payloads,
        entries[1].Metadata?["by"],
        page.Entries.Count,
        page.Next,
        problem?.Status,
        problem?.Code == NSwagClient.ErrorCode.Sequence_mismatch ? "sequence_mismatch" : null,
        problem?.LastSequence,
        problem?.Winner == produced.Transactions.First().Id.ToString());
}

static JsonObject Told(long last, JsonArray payloads, string? by, int spaceEntries, string? next, int? status, string? code, long? lastSequence, bool winnerIsProducer) =>
    new()
    {
        ["last"] = last,
        ["payloads"] = payloads,
        ["by"] = by,
        ["spaceEntries"] = spaceEntries,
        ["wentOn"] = !string.IsNullOrEmpty(next),
        ["refused"] = new JsonObject { ["status"] = status, ["code"] = code, ["lastSequence"] = lastSequence },
        ["winnerIsProducer"] = winnerIsProducer,
    };
