-- Remember that workers took tasks of a group, or of a queue, for as long as its rate looks back.
INSERT INTO prinia_starts (queue, group_name, at, n)
VALUES (:queue, :group, :now, :n)
