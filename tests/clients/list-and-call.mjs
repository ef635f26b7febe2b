// What every client is asked to do; one line of JSON tells what it saw (`Seen` in workbench/src/rust_sdk.rs).
export async function listAndCall(client, [tool, args, resource, prompt]) {
  const { tools } = await client.listTools();
  const { resources } = await client.listResources();
  const { prompts } = await client.listPrompts();
  const called = await client.callTool({ name: tool, arguments: JSON.parse(args) });
  const refused = await client.callTool({ name: tool, arguments: { days: "many" } });
  const read = await client.readResource({ uri: resource });
  const asked = await client.getPrompt({ name: prompt });
  console.log(
    JSON.stringify({
      tools: tools.map((each) => each.name),
      resources: resources.map((each) => each.uri),
      prompts: prompts.map((each) => each.name),
      text: called.content[0].text,
      agree: JSON.stringify(called.structuredContent) === JSON.stringify(JSON.parse(called.content[0].text)),
      resource_text: read.contents[0].text,
      prompt_text: asked.messages[0].content.text,
      refused: refused.isError === true,
    }),
  );
  await client.close();
}
