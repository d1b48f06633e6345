-- before
create table t (id int primary key, f float8, n numeric, b bytea, i interval, ts timestamptz, j jsonb, a text[], x xml, u uuid, net inet, m money, bits bit varying(9));
insert into t values (1, 'NaN', 1.10, '\x00ff', '1 mon 2 days', '2020-01-01 00:00+05', '{"a": null}', '{a,NULL,"x,y"}', '<a/>', md5('x')::uuid, '10.0.0.0/8', 12.34, b'101');
-- change
set timezone = 'Asia/Tokyo';
set datestyle = 'German';
set intervalstyle = 'iso_8601';
set extra_float_digits = -3;
set lc_monetary = 'C';
alter table t add d1 timestamptz default '2020-06-01 12:00', add d2 interval default 'P1M', add d3 float8 default 0.1, add d4 date default '01.02.2020', add d5 bytea default '\x0102', add d6 numeric default 1.500, add d7 text[] default '{a,NULL,"x,y"}', add d8 jsonb default '{"b": 1}', add d9 money default 5.5, add d10 float8 default '-0', add d11 text default E'a\\b\n''';
insert into t (id, f) values (2, 1e-300);
