// Shows the balances as they are.
const answer = await fetch("/accounts");
const { accounts } = await answer.json();
document.querySelector("#accounts").replaceChildren(...accounts.map(({ id, balance }) => {
  const item = document.createElement("li");
  item.textContent = `${id} ${balance.toFixed(2)}`;
  return item;
}));
