-- before
create table p (k int primary key, v text) partition by list (k);
create table p1 partition of p for values in (1, 11);
create table p2 partition of p for values in (2, 22);
create table noted (what text);
create function note() returns trigger language plpgsql as $$
begin
  insert into noted values (tg_table_name || ' ' || tg_op);
  return new;
end
$$;
create trigger always after insert on p for each row execute function note();
create trigger other after insert on p for each row execute function note();
alter table p enable always trigger always;
alter table p2 enable replica trigger other;
insert into p values (1), (2);
-- change
insert into p values (11), (22);
create table p3 partition of p default;
insert into p values (33);
alter table p2 enable trigger other;
alter table p1 disable trigger always;
insert into p values (34);
